//! A CD or DVD, or an image of one, as firmware finds it.

#[cfg(test)]
mod tests;
mod volume;

use serde::Serialize;

use super::budget::Budget;
use super::disk::{self, BootCode, Disk};
use super::source::Source;
use super::stored::{self, Allowance, MEDIUM, MediumFiles, StoredFile};
use volume::{Descriptors, SECTOR};

/// What is on a CD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Iso {
    /// Its name.
    pub volume: String,
    /// When it was made, as `YYYYMMDDHHMMSS`; none where it does not say.
    pub made: Option<String>,
    /// What firmware can start of it as a CD.
    pub boot: Vec<BootImage>,
    /// Its files, by path.
    pub files: Vec<StoredFile>,
    /// Why it could not be read whole; none where it was.
    pub broken: Option<String>,
    /// What does not agree with its manifest.
    pub differences: Vec<String>,
    /// What firmware finds where its bytes are on a stick; none where that has no GUID partition table.
    pub disk: Option<Disk>,
}

/// An entry of the boot catalogue (El Torito specification, 2.0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BootImage {
    /// `BIOS` or `UEFI`, or the number of another platform.
    pub firmware: String,
    /// Whether firmware may start it.
    pub bootable: bool,
    /// First byte on the CD.
    pub start: u64,
    /// Bytes that firmware loads.
    pub length: u64,
    /// The file that it is.
    pub file: Option<String>,
    /// Number of the partition that it is where the CD's bytes are a disk.
    pub partition: Option<u32>,
}

/// A CD; none where there is no ISO 9660 file system.
pub(super) fn read(source: &Source, budget: &mut Budget) -> Option<Iso> {
    let descriptors = Descriptors::read(source)?;
    let found = descriptors.walk(source);
    let mut disk = disk::read(source, budget);
    let mut allowance = Allowance::of(source, budget);
    name_core(disk.as_mut(), &found.files);
    let mut boot = match descriptors.catalogue {
        Some(sector) => catalogue(source, sector),
        None => Vec::new(),
    };
    for image in &mut boot {
        let holds = |file: &&volume::File| file.at == Some(image.start);
        image.file = found.files.iter().find(holds).map(|file| file.path.clone());
        let mut partitions = disk.iter().flat_map(|disk| &disk.partitions);
        let partition = partitions.find(|partition| partition.start == image.start);
        image.partition = partition.map(|partition| partition.number);
    }
    let cut = (descriptors.length > source.length())
        .then(|| "it ends before the end that it names".to_owned());
    let stored = found.files.iter().map(|file| {
        StoredFile::new(&file.path, file.bytes, &mut allowance, || {
            content(source, file)
        })
    });
    let mut files: Vec<StoredFile> = stored.collect();
    let listed = found.files.iter().map(volume::File::listed);
    let manifest = stored::manifest(MEDIUM.manifest, listed, |number| {
        content(source, found.files.get(number)?)
    });
    let differences = stored::compare(&mut files, manifest.as_ref());
    Some(Iso {
        volume: descriptors.name,
        made: descriptors.made,
        boot,
        files,
        broken: found.broken.or(cut),
        differences,
        disk,
    })
}

fn content(source: &Source, file: &volume::File) -> Option<Vec<u8>> {
    source.read(file.at?, file.bytes)
}

/// The files on a CD.
pub(super) fn files<'a>(source: &'a Source) -> Option<MediumFiles<'a>> {
    let found = Descriptors::read(source)?.walk(source).files;
    let listed = found.iter().map(volume::File::listed);
    Some(MediumFiles {
        layout: MEDIUM,
        files: listed
            .map(|(path, bytes)| (path.to_owned(), bytes))
            .collect(),
        read: Box::new(move |number| content(source, found.get(number)?)),
    })
}

/// A CD's boot code loads GRUB's core out of a file.
fn name_core(disk: Option<&mut Disk>, files: &[volume::File]) {
    let code = disk.and_then(|disk| disk.boot_code.as_mut());
    if let Some(BootCode::Grub { core, file, .. }) = code {
        let holds = |file: &&volume::File| {
            file.at
                .is_some_and(|at| (at..at.saturating_add(file.bytes)).contains(core))
        };
        *file = files.iter().find(holds).map(|file| file.path.clone());
    }
}

/// The entries of the boot catalogue: one for the platform in its head, and sections for others.
fn catalogue(source: &Source, sector: u64) -> Vec<BootImage> {
    const HEAD: u8 = 1;
    const SECTION: u8 = 0x90;
    const LAST_SECTION: u8 = 0x91;
    let bytes = sector
        .checked_mul(SECTOR)
        .and_then(|at| source.read(at, SECTOR));
    let bytes = bytes.unwrap_or_default();
    let mut entries = bytes.as_chunks::<32>().0.iter();
    let mut images = Vec::new();
    let Some([HEAD, platform, ..]) = entries.next() else {
        return images;
    };
    images.extend(
        entries
            .next()
            .and_then(|entry| boot_image(*platform, entry)),
    );
    while let Some([kind @ (SECTION | LAST_SECTION), platform, low, high, ..]) = entries.next() {
        let count = usize::from(u16::from_le_bytes([*low, *high]));
        let inside = entries.by_ref().take(count);
        images.extend(inside.filter_map(|entry| boot_image(*platform, entry)));
        if *kind == LAST_SECTION {
            break;
        }
    }
    images
}

fn boot_image(platform: u8, entry: &[u8; 32]) -> Option<BootImage> {
    const BOOTABLE: u8 = 0x88;
    /// Firmware counts in these.
    const VIRTUAL_SECTOR: u64 = 512;
    let firmware = match platform {
        0 => "BIOS".to_owned(),
        0xef => "UEFI".to_owned(),
        other => format!("platform {other:#04x}"),
    };
    let sectors = u16::from_le_bytes(*entry.get(6..)?.first_chunk()?);
    let start = u32::from_le_bytes(*entry.get(8..)?.first_chunk()?);
    Some(BootImage {
        firmware,
        bootable: *entry.first()? == BOOTABLE,
        start: u64::from(start) * SECTOR,
        length: u64::from(sectors) * VIRTUAL_SECTOR,
        file: None,
        partition: None,
    })
}
