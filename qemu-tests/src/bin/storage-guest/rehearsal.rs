//! Runs programs of an installed system in its root, on overlays.

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::{Context, anyhow};
use proxmox::initrd::{InitrdContent, Unpacking};
use qemu_tests::storage_guest::{RehearseAnswer, RehearseRequest, RootFile, Step};
use rehearse::InRoot;
use storage::{LookOptions, Purpose, look};

/// The word before the orders of a process that is to enter a root.
const ENTRANCE: &str = "enter-root";

/// The status of a process that was started to enter a root; none of any other one.
pub fn entered() -> Option<i32> {
    let mut words = env::args().skip(1);
    if words.next()? != ENTRANCE {
        return None;
    }
    let ended = rehearse::enter(&words.next().unwrap_or_default());
    Some(ended.unwrap_or_else(|error| {
        eprintln!("{error}");
        127
    }))
}

pub fn rehearsed(request: &RehearseRequest) -> anyhow::Result<RehearseAnswer> {
    let mut look = look(LookOptions {
        purpose: Purpose::Rehearse,
        ..LookOptions::default()
    })?;
    let root = look.open_root(0).map_err(|trouble| anyhow!("{trouble}"))?;
    let devices = rehearse::devices(&look);
    let in_root = InRoot {
        stop: None,
        root: &root,
        devices: &devices,
        entrance: &[ENTRANCE],
    };
    let limit = Duration::from_secs(request.seconds);
    let mut print = |line: &str| println!("rehearsal: {line}");
    let (mut told, mut files) = (Vec::new(), Vec::new());
    for step in &request.steps {
        match step {
            Step::Write(path, text) => {
                let path = root.path().join(path.trim_start_matches('/'));
                fs::write(&path, text).with_context(|| path.display().to_string())?;
            }
            Step::Tool(tool) => told.push(in_root.run(tool, limit, &mut print)),
            Step::Words(words) => told.push(in_root.run_words(words, limit, &mut print)),
            Step::Read(path) => files.push(RootFile {
                root: 0,
                path: path.clone(),
                text: root
                    .read(path, 256 << 20)
                    .map(|bytes| text(&bytes))
                    .map_err(|error| error.to_string()),
            }),
        }
    }
    let told = told
        .into_iter()
        .map(|told| told.map_err(|error| error.to_string()));
    let told = told.collect();
    let written_over = look.written_over();
    drop(root);
    println!("rehearsal: done");
    Ok(RehearseAnswer {
        told,
        files,
        written_over,
        ended: look.end(),
    })
}

/// A file as text; an initrd as the configuration in it.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let content = InitrdContent::parse(bytes, &mut Unpacking::default());
            serde_json::to_string(&content).unwrap_or_default()
        }
    }
}
