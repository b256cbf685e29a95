//! A disk with a GUID partition table: what firmware finds on it.

mod fat;
mod table;
#[cfg(test)]
mod tests;

use serde::Serialize;

use fat::Fat;
pub use table::TableCopy;

use super::source::Source;
use super::{Content, recognize};
use crate::digest::sha256;
use crate::gpt::{BIOS_BOOT, EFI_SYSTEM, Guid, PREFLIGHT_DATA, SECTOR};
use crate::grub::BOOT_CODE;

/// A file larger than this is no part of a boot.
const LARGEST_FILE: u32 = 512 << 20;
/// Smaller ones are configuration.
const SMALLEST_PROGRAM: u32 = 16 << 10;

/// A disk, or the image of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// The disk's GUID.
    pub id: String,
    /// The table in its second sector.
    pub primary: TableCopy,
    /// The table in its last sector.
    pub backup: TableCopy,
    /// What BIOS starts; none where the first sector has no code.
    pub boot_code: Option<BootCode>,
    /// Its partitions.
    pub partitions: Vec<DiskPartition>,
}

/// The code in a first sector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootCode {
    /// GRUB's.
    Grub {
        /// Byte of the disk at which its core begins.
        core: u64,
        /// Number of the BIOS boot partition that begins there.
        partition: Option<u32>,
    },
    /// Another.
    Other,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskPartition {
    /// From 1.
    pub number: u32,
    /// What its type says that it is for; the type's GUID where it is none of ours.
    pub kind: String,
    /// PARTUUID.
    pub id: String,
    /// PARTLABEL.
    pub name: String,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// Its file system, when it is FAT.
    pub fat: Option<FatVolume>,
}

/// A FAT file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FatVolume {
    /// `FAT16` or `FAT32`.
    pub kind: &'static str,
    /// Its label.
    pub label: Option<String>,
    /// Its serial number, as `blkid` has it.
    pub id: String,
    /// Its files, by path.
    pub files: Vec<FatFile>,
    /// Why it could not be read whole; none where it was.
    pub broken: Option<String>,
}

/// A file of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FatFile {
    /// From the root, without a slash in front.
    pub path: String,
    /// Bytes.
    pub bytes: u32,
    /// Of its content; none where it could not be read.
    pub sha256: Option<String>,
    /// What it is, where it is something that a machine boots with.
    pub content: Option<Content>,
}

/// What types of partitions are for.
const KINDS: [(Guid, &str); 3] = [
    (BIOS_BOOT, "BIOS boot"),
    (EFI_SYSTEM, "EFI system"),
    (PREFLIGHT_DATA, "Preflight results"),
];

/// A disk as firmware finds it; none where it has no GUID partition table.
pub(super) fn read(source: &Source) -> Option<Disk> {
    let ([primary, backup], _) = table::read(source)?;
    let state = |copy: &Result<_, String>| match copy {
        Ok(_) => TableCopy::Whole,
        Err(why) => TableCopy::Damaged(why.clone()),
    };
    let states = [state(&primary), state(&backup)];
    let [first, second] = states;
    let table = primary.or(backup).ok();
    let id = table.as_ref().map(|table| table.id.to_string());
    let entries = table.map(|table| table.entries).unwrap_or_default();
    Some(Disk {
        id: id.unwrap_or_default(),
        primary: first,
        backup: second,
        boot_code: boot_code(source, &entries),
        partitions: entries
            .iter()
            .map(|entry| partition(source, entry))
            .collect(),
    })
}

fn boot_code(source: &Source, entries: &[table::Entry]) -> Option<BootCode> {
    // Where grub-install keeps the sector of the core (GRUB, i386/pc/boot.h).
    const CORE: usize = 0x5c;
    const NAME: &[u8] = b"GRUB ";
    let sector = source.read(0, SECTOR)?;
    let code = sector.get(..BOOT_CODE)?;
    if code.iter().all(|byte| *byte == 0) || !sector.ends_with(&[0x55, 0xaa]) {
        return None;
    }
    if !code.windows(NAME.len()).any(|bytes| bytes == NAME) {
        return Some(BootCode::Other);
    }
    let core = u64::from_le_bytes(*code.get(CORE..)?.first_chunk()?);
    let core = core.saturating_mul(SECTOR);
    let holds = |entry: &&table::Entry| entry.kind == BIOS_BOOT && entry.start == core;
    Some(BootCode::Grub {
        core,
        partition: entries.iter().find(holds).map(|entry| entry.number),
    })
}

fn partition(source: &Source, entry: &table::Entry) -> DiskPartition {
    let known = KINDS.iter().find(|(kind, _)| *kind == entry.kind);
    DiskPartition {
        number: entry.number,
        kind: known.map_or_else(|| entry.kind.to_string(), |(_, words)| (*words).to_owned()),
        id: entry.id.to_string(),
        name: entry.name.clone(),
        start: entry.start,
        length: entry.length,
        fat: Fat::open(source, entry.start, entry.length).map(|fat| volume(&fat, entry.length)),
    }
}

fn volume(fat: &Fat, length: u64) -> FatVolume {
    let found = fat.walk();
    // Files that claim each other's clusters could be of any length together.
    let mut left = length;
    FatVolume {
        kind: fat.kind,
        label: found.label,
        id: format!("{:04X}-{:04X}", fat.id >> 16, fat.id & 0xffff),
        files: found
            .files
            .iter()
            .map(|file| self::file(fat, file, &mut left))
            .collect(),
        broken: found.broken,
    }
}

fn file(fat: &Fat, file: &fat::File, left: &mut u64) -> FatFile {
    let affordable = left
        .checked_sub(u64::from(file.bytes))
        .filter(|_| file.bytes <= LARGEST_FILE);
    let content = affordable.and_then(|rest| {
        *left = rest;
        fat.content(file)
    });
    let program = content
        .as_deref()
        .filter(|_| file.bytes >= SMALLEST_PROGRAM);
    FatFile {
        path: file.path.clone(),
        bytes: file.bytes,
        sha256: content.as_deref().map(sha256),
        content: program.and_then(recognize),
    }
}
