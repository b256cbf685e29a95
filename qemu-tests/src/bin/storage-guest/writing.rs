//! Opens an installed system's file systems for writing, on the disks, and writes a file to each.

use std::env;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context, anyhow, bail};
use qemu_tests::storage_guest::{End, WriteAnswer, WriteRequest};
use storage::{
    FileSystemId, HostId, Look, LookOptions, Purpose, Root, RootCandidate, Trouble, Wanted, look,
    tear_down,
};

use crate::open_encrypted;

/// The word before the request of a process that writes and is killed.
const KILLED: &str = "write-and-be-killed";

/// Never comes back in a process that was started to be killed while it writes.
pub fn entered() {
    let mut words = env::args().skip(1);
    if words.next().as_deref() != Some(KILLED) {
        return;
    }
    let written = serde_json::from_str(&words.next().unwrap_or_default())
        .context("the request")
        .and_then(|request| opened(&request));
    match written {
        Ok((_look, answer)) => {
            println!("{}", serde_json::to_string(&answer).unwrap_or_default());
            process::abort();
        }
        Err(error) => {
            eprintln!("{error:#}");
            process::exit(1);
        }
    }
}

pub fn written(request: &WriteRequest) -> anyhow::Result<WriteAnswer> {
    if request.end == End::Closed {
        let (look, mut answer) = opened(request)?;
        answer.ended = Some(look.end());
        return Ok(answer);
    }
    let told = Command::new("/proc/self/exe")
        .args([KILLED, &serde_json::to_string(request)?])
        .output()?;
    let mut answer: WriteAnswer = serde_json::from_slice(&told.stdout).with_context(|| {
        format!(
            "{}: {}",
            told.status,
            String::from_utf8_lossy(&told.stderr).trim()
        )
    })?;
    if request.end == End::Killed {
        let options = LookOptions::default();
        answer.stays = tear_down(&options.sys, &options.folder);
    }
    Ok(answer)
}

fn opened(request: &WriteRequest) -> anyhow::Result<(Look, WriteAnswer)> {
    let (root, wanted) = rehearsed(request)?;
    let mut look = look(LookOptions {
        purpose: Purpose::Write(wanted.clone()),
        ..LookOptions::default()
    })?;
    open_encrypted(&mut look, request.passphrase.as_deref())?;
    let mut answer = WriteAnswer {
        disks: wanted.disks().into_iter().collect(),
        ..WriteAnswer::default()
    };
    let not_there = look.not_there();
    if !not_there.is_empty() {
        bail!("{not_there:?}: {:?}", look.storage().troubles);
    }
    for id in wanted.file_systems() {
        let written = if *id == root.file_system {
            look.open_candidate(&root)
        } else {
            look.open(id)
        };
        let folder = written.map_err(plain)?;
        write(folder.path(), &request.path, &request.text)?;
        answer.written.push(id.clone());
    }
    answer.troubles.clone_from(&look.storage().troubles);
    answer.volumes = look.storage().volumes.len();
    Ok((look, answer))
}

/// The root of the system of this name, and what is to be opened, after a look that has written on overlays.
fn rehearsed(request: &WriteRequest) -> anyhow::Result<(RootCandidate, Wanted)> {
    let mut look = look(LookOptions {
        purpose: Purpose::Rehearse,
        ..LookOptions::default()
    })?;
    open_encrypted(&mut look, request.passphrase.as_deref())?;
    let (root, folder) = root_of(&mut look, &request.host)?;
    write(
        folder.path(),
        &request.path,
        "rehearsed, and not on the disk\n",
    )?;
    let host_id = HostId::of(&folder)?;
    drop(folder);
    let storage = look.storage();
    let mut ids: Vec<FileSystemId> = vec![root.file_system.clone()];
    let own = storage.file_system(&root.file_system).context("no root")?;
    let disks = storage.disks_of(own);
    for system in &storage.file_systems {
        let is_beside = storage.disks_of(system).is_subset(&disks);
        if is_beside && request.kinds.contains(&system.kind) {
            ids.push(system.id.clone());
        }
    }
    let wanted = storage.wanted(&ids, host_id)?;
    let ended = look.end();
    if let Some(trouble) = ended.troubles.first() {
        bail!("the rehearsal: {trouble}");
    }
    Ok((root, wanted))
}

fn root_of(look: &mut Look, host: &str) -> anyhow::Result<(RootCandidate, Root)> {
    for candidate in look.storage().roots.clone() {
        let root = look.open_candidate(&candidate).map_err(plain)?;
        if root.read("etc/hostname", 4096)? == format!("{host}\n").as_bytes() {
            return Ok((candidate, root));
        }
    }
    bail!("no system is named {host}")
}

fn write(folder: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(path.trim_start_matches('/'));
    let mut file = File::create(&path).with_context(|| path.display().to_string())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn plain(trouble: Trouble) -> anyhow::Error {
    anyhow!("{trouble}")
}
