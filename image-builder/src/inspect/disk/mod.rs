//! A disk with a GUID partition table: what firmware finds on it.

mod fat;
mod table;
#[cfg(test)]
mod tests;

use serde::Serialize;

use fat::{Fat, File};
pub use table::TableCopy;

use super::budget::Budget;
use super::source::Source;
use super::stored::{self, Allowance, MEDIUM, MediumFiles, StoredFile};
use crate::gpt::{BIOS_BOOT, EFI_SYSTEM, Guid, PREFLIGHT_DATA, SECTOR};
use crate::grub::BOOT_CODE;

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
        /// On a CD's image, the file that it is in.
        file: Option<String>,
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
    pub files: Vec<StoredFile>,
    /// Why it could not be read whole; none where it was.
    pub broken: Option<String>,
    /// What does not agree with its manifest.
    pub differences: Vec<String>,
}

/// What types of partitions are for.
const KINDS: [(Guid, &str); 3] = [
    (BIOS_BOOT, "BIOS boot"),
    (EFI_SYSTEM, "EFI system"),
    (PREFLIGHT_DATA, "Preflight results"),
];

/// A disk as firmware finds it; none where it has no GUID partition table.
pub(super) fn read(source: &Source, budget: &mut Budget) -> Option<Disk> {
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
    let mut allowance = Allowance::of(source, budget);
    Some(Disk {
        id: id.unwrap_or_default(),
        primary: first,
        backup: second,
        boot_code: boot_code(source, &entries),
        partitions: entries
            .iter()
            .map(|entry| partition(source, entry, &mut allowance))
            .collect(),
    })
}

fn boot_code(source: &Source, entries: &[table::Entry]) -> Option<BootCode> {
    // Where grub-install keeps the sector of the core (GRUB, i386/pc/boot.h), and where the boot code of a CD's image
    // has it (the same, and xorriso's --grub2-mbr).
    const CORE: usize = 0x5c;
    const HYBRID_CORE: usize = 0x1b0;
    const NAME: &[u8] = b"GRUB ";
    let sector = source.read(0, SECTOR)?;
    let code = sector.get(..BOOT_CODE)?;
    if code.iter().all(|byte| *byte == 0) || !sector.ends_with(&[0x55, 0xaa]) {
        return None;
    }
    if !code.windows(NAME.len()).any(|bytes| bytes == NAME) {
        return Some(BootCode::Other);
    }
    let number = |at: usize| Some(u64::from_le_bytes(*sector.get(at..)?.first_chunk()?));
    let core = match number(CORE)? {
        0 => number(HYBRID_CORE)?,
        core => core,
    };
    let core = core.saturating_mul(SECTOR);
    let holds = |entry: &&table::Entry| entry.kind == BIOS_BOOT && entry.start == core;
    Some(BootCode::Grub {
        core,
        partition: entries.iter().find(holds).map(|entry| entry.number),
        file: None,
    })
}

fn partition(source: &Source, entry: &table::Entry, allowance: &mut Allowance) -> DiskPartition {
    let fat = Fat::open(source, entry.start, entry.length);
    let known = KINDS.iter().find(|(kind, _)| *kind == entry.kind);
    DiskPartition {
        number: entry.number,
        kind: known.map_or_else(|| entry.kind.to_string(), |(_, words)| (*words).to_owned()),
        id: entry.id.to_string(),
        name: entry.name.clone(),
        start: entry.start,
        length: entry.length,
        fat: fat.map(|fat| volume(&fat, allowance)),
    }
}

fn volume(fat: &Fat, allowance: &mut Allowance) -> FatVolume {
    let found = fat.walk();
    let files = found.files.iter().map(|file| {
        let read = || fat.content(file);
        StoredFile::new(&file.path, file.bytes.into(), allowance, read)
    });
    let mut files: Vec<StoredFile> = files.collect();
    let listed = found.files.iter().map(File::listed);
    let manifest = stored::manifest(MEDIUM.manifest, listed, |number| {
        fat.content(found.files.get(number)?)
    });
    let differences = stored::compare(&mut files, manifest.as_ref());
    FatVolume {
        kind: fat.kind,
        label: found.label,
        id: format!("{:04X}-{:04X}", fat.id >> 16, fat.id & 0xffff),
        files,
        broken: found.broken,
        differences,
    }
}

/// The files on the first EFI system partition that can be read.
pub(super) fn files<'a>(source: &'a Source) -> Option<MediumFiles<'a>> {
    let ([primary, backup], _) = table::read(source)?;
    let entries = primary.or(backup).ok()?.entries.into_iter();
    let mut systems = entries.filter(|entry| entry.kind == EFI_SYSTEM);
    let fat = systems.find_map(|entry| Fat::open(source, entry.start, entry.length))?;
    let found = fat.walk().files;
    let listed = found.iter().map(File::listed);
    Some(MediumFiles {
        layout: MEDIUM,
        files: listed
            .map(|(path, bytes)| (path.to_owned(), bytes))
            .collect(),
        read: Box::new(move |number| fat.content(found.get(number)?)),
    })
}
