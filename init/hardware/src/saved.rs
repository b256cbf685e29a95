use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::capture::Capture;
use crate::{Error, Machine, Names, RomReading, Source, lspci, read, rom};

/// What zstd files begin with (RFC 8878, 3.1.1).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Beginnings of files that are given by mistake, and what they are.
const MISTAKES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"PK\x03\x04", "a zip archive"),
    (
        b"{",
        "JSON, perhaps a report and not the machine that it is about",
    ),
    (b"<", "a web page, not the text on it"),
];
/// Four thousand functions of 4096 bytes each take 55 MB of hex.
const LIMIT: usize = 256 << 20;

/// A machine that was saved, whatever way.
pub struct Saved {
    /// The machine.
    pub machine: Machine,
    /// Copies of its option ROMs; none when nobody read any.
    pub roms: Option<Vec<RomReading>>,
    /// Names of its devices, where it brings them.
    pub names: Option<Names>,
}

/// Reads a machine from a folder laid out like /sys, a capture, or what lspci printed; which of them it
/// is shows in its content. `names` turns names in a text back into ids.
///
/// # Errors
/// [`Error`] says what is wrong with the file, or what it is instead.
pub fn load(path: &Path, names: Option<&Names>) -> Result<Saved, Error> {
    let open = |cause| Error::Open {
        path: path.to_owned(),
        cause,
    };
    if path.is_dir() {
        let source = Source::folder(path)?;
        let machine = read(&source)?;
        // Damage is told by what reads ROMs for their own sake.
        let roms = rom::read_all(&source, &machine.functions, &mut |_| {});
        return Ok(Saved {
            machine,
            roms: Some(roms).filter(|roms| !roms.is_empty()),
            names: None,
        });
    }
    let file = File::open(path).map_err(open)?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(LIMIT));
    let limit = u64::try_from(LIMIT + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(open)?;
    if bytes.len() > LIMIT {
        return Err(no_source(path, "longer than 256 MiB"));
    }
    if bytes.starts_with(ZSTD) {
        return capture(path, &bytes);
    }
    let mistake = MISTAKES
        .iter()
        .find(|(magic, _)| bytes.trim_ascii_start().starts_with(magic));
    if let Some((_, what)) = mistake {
        return Err(no_source(path, what));
    }
    if memchr::memchr(0, &bytes).is_some() {
        return Err(no_source(path, "neither text nor a capture"));
    }
    // The check for good UTF-8 is much quicker than the one that mends it.
    let text = match str::from_utf8(&bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(&bytes),
    };
    let machine = lspci::parse(&text, names).map_err(|cause| Error::Lspci {
        path: path.to_owned(),
        cause,
    })?;
    Ok(Saved {
        machine,
        roms: None,
        names: None,
    })
}

fn capture(path: &Path, bytes: &[u8]) -> Result<Saved, Error> {
    let capture = Capture::read(bytes).map_err(|cause| Error::Capture {
        path: path.to_owned(),
        cause,
    })?;
    let mut machine = read(&capture.source)?;
    if let Some(disk) = &capture.manifest.boot_stick {
        machine.mark_boot_stick(disk);
    }
    machine.installed_uses = capture.manifest.installed_uses;
    Ok(Saved {
        machine,
        roms: capture.roms,
        names: capture.names,
    })
}

fn no_source(path: &Path, what: &'static str) -> Error {
    Error::NoSource {
        path: path.to_owned(),
        what,
    }
}
