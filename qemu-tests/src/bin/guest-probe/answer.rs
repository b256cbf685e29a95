//! Requests, carried out.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use modules::{Index, Loader, ModuleName};
use qemu_tests::probe::{Answer, Refusal, Request};

use crate::{memory, vfio};

/// What it takes to carry out requests.
pub(crate) struct Guest {
    loader: Loader,
}

impl Guest {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let release = nix::sys::utsname::uname()?;
        let folder = Path::new("/lib/modules").join(release.release());
        let index = Index::read(&folder)?;
        Ok(Self {
            loader: Loader::new(index, BTreeMap::new()),
        })
    }

    /// Loads a module.
    pub(crate) fn load(&mut self, name: &str) -> anyhow::Result<()> {
        for result in self.loader.load(&ModuleName::new(name)) {
            result.with_context(|| format!("module {name}"))?;
        }
        Ok(())
    }

    /// Carries out a request.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Answer, Refusal> {
        let refused = |error: io::Error| Refusal {
            errno: error.raw_os_error(),
            why: error.to_string(),
        };
        match request {
            Request::Module(name) => self.load(name).map(|()| Answer::Done).map_err(|error| {
                let why = format!("{error:#}");
                Refusal { errno: None, why }
            }),
            Request::Run(words) => run(words).map(Answer::Text).map_err(refused),
            Request::Read(path) => fs::read(path).map(hex).map_err(refused),
            Request::Write(path, text) => write(path, text).map(|()| Answer::Done).map_err(refused),
            Request::Link(path) => link(path).map(Answer::Text).map_err(refused),
            Request::List(path) => list(path).map(Answer::Names).map_err(refused),
            Request::Rom(path) => rom(path).map(hex).map_err(refused),
            Request::Memory(path, offset, length) => memory::read(path, *offset, *length)
                .map(hex)
                .map_err(refused),
            Request::Vfio(address) => vfio::ids(address).map(hex).map_err(refused),
        }
    }
}

fn hex(bytes: Vec<u8>) -> Answer {
    Answer::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a program prints; an error when it does not end well.
fn run(words: &[String]) -> io::Result<String> {
    let [program, arguments @ ..] = words else {
        return Err(io::Error::other("no program"));
    };
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("{}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn write(path: &str, text: &str) -> io::Result<()> {
    // A plain write: sysfs takes no file that is created or cut.
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(text.as_bytes())
}

pub(crate) fn link(path: &str) -> io::Result<String> {
    let target = fs::read_link(path)?;
    let name = target.file_name().unwrap_or_default();
    Ok(name.to_string_lossy().into_owned())
}

fn list(path: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn rom(path: &str) -> io::Result<Vec<u8>> {
    let mut file: File = OpenOptions::new().read(true).write(true).open(path)?;
    file.write_all(b"1")?;
    file.rewind()?;
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    file.rewind()?;
    file.write_all(b"0")?;
    read.map(|_| bytes)
}
