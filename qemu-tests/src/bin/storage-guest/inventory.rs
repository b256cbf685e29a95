//! Lists every file on the disks.

use std::fs::{self, File, FileType, Metadata};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use nix::sys::stat::{major, minor};
use qemu_tests::storage_guest::Inventory;
use sha2::{Digest, Sha256};
use storage::{Content, FileSystem, FileSystemId, LookOptions, Purpose, look};

/// Longest volume without a file system that is listed, in bytes: GRUB's own partition is a MiB.
const SMALL: u64 = 4 << 20;

/// A test takes a guest that says nothing for long for a dead one.
const TELLING: usize = 1000;

/// Every file of every file system, as its own system would find it. One that cannot be read is an error: what is not
/// listed is not compared.
pub fn listed() -> anyhow::Result<Inventory> {
    let mut look = look(LookOptions {
        purpose: Purpose::Plan,
        ..LookOptions::default()
    })?;
    let mut inventory = Inventory::default();
    let storage = look.storage().clone();
    for volume in &storage.volumes {
        if volume.content != Content::Nothing || volume.size > SMALL {
            continue;
        }
        if let Some(node) = look.node(&volume.id) {
            let name = format!("volume {}", volume.id);
            inventory.files.insert(name, digest(node)?);
        }
    }
    for system in &storage.file_systems {
        let root = look
            .open(&system.id)
            .map_err(|trouble| anyhow!("{trouble}"))?;
        walk(
            &name_of(system),
            root.path(),
            Path::new("/"),
            &mut inventory,
        )?;
    }
    ensure!(!inventory.files.is_empty(), "no file system was found");
    println!("inventory: done");
    let ended = look.end();
    ensure!(ended.troubles.is_empty(), "{:?}", ended.troubles);
    Ok(inventory)
}

/// A name that is the same at every look.
fn name_of(system: &FileSystem) -> String {
    let own = match &system.id {
        FileSystemId::DataSet { name, .. } => Some(name),
        _ => system.uuid.as_ref(),
    };
    let id = own.cloned().unwrap_or_else(|| system.id.to_string());
    format!("{} {id}", system.kind)
}

fn walk(system: &str, root: &Path, inside: &Path, all: &mut Inventory) -> anyhow::Result<()> {
    let folder = root.join(inside.strip_prefix("/").unwrap_or(inside));
    // What FAT has for times is nobody's to put back, no more than owners.
    let has_times = !system.starts_with("vfat ");
    let names = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    for entry in names {
        let entry = entry.with_context(|| folder.display().to_string())?;
        let path = entry.path();
        let metadata = path
            .symlink_metadata()
            .with_context(|| path.display().to_string())?;
        let here = inside.join(entry.file_name());
        let name = format!("{system}:{}", here.display());
        all.files
            .insert(name, described(&path, &metadata, has_times)?);
        if all.files.len().is_multiple_of(TELLING) {
            println!("inventory: {} files", all.files.len());
            std::io::stdout().flush()?;
        }
        if metadata.is_dir() {
            walk(system, root, &here, all)?;
        }
    }
    Ok(())
}

fn described(path: &Path, metadata: &Metadata, has_times: bool) -> anyhow::Result<String> {
    let kind = metadata.file_type();
    let more = if kind.is_file() {
        let length = metadata.len();
        let changed = if has_times { metadata.mtime() } else { 0 };
        format!("{length} {changed} {}", digest(path)?)
    } else if kind.is_symlink() {
        let target = fs::read_link(path).with_context(|| path.display().to_string())?;
        target.display().to_string()
    } else {
        let number = metadata.rdev();
        format!("{}:{}", major(number), minor(number))
    };
    let (owner, group) = (metadata.uid(), metadata.gid());
    Ok(format!(
        "{} {:o} {owner}:{group} {more}",
        letter(kind),
        metadata.mode() & 0o7777
    ))
}

/// As ls(1) has it.
fn letter(kind: FileType) -> char {
    match kind {
        _ if kind.is_dir() => 'd',
        _ if kind.is_symlink() => 'l',
        _ if kind.is_file() => '-',
        _ if kind.is_block_device() => 'b',
        _ if kind.is_char_device() => 'c',
        _ if kind.is_fifo() => 'p',
        _ => 's',
    }
}

fn digest(path: &Path) -> anyhow::Result<String> {
    let context = || path.display().to_string();
    let mut file = File::open(path).with_context(context)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).with_context(context)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
    }
    let bytes = hash.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
