//! The first boot of a stick that an image was written to: its place for results, small in the image, is made
//! anew over the rest of the stick. The power may go at any instant: until one sector is written the small place
//! counts, from then on the large one, and the boot files are never touched.

mod table;
mod window;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};

use crate::stick::note_successor;
use crate::{Error, PARTITION_TYPE, Stick, VOLUME_LABEL, partition_table};
use table::{Ids, SECTOR, Span, Table, Write, entries_of};
use window::Window;

/// What other systems put on any stick that they are shown.
const NOT_RESULTS: [&str; 5] = [
    "System Volume Information",
    "$RECYCLE.BIN",
    ".Trashes",
    ".fseventsd",
    ".Spotlight-V100",
];

/// Sectors that are wiped at each end of the new place; it is always longer.
const WIPED: u64 = (1 << 20) / SECTOR;
const READ_SYSTEM: &str = "read the file system of";

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// There is a new place of so many bytes. Kernel and nodes still have the old one until
    /// [`reread_partitions`](crate::reread_partitions).
    Grown(u64),
    /// There was a new place already, and the last of its table is written now, which the power had kept from the
    /// disk.
    Completed,
    /// The stick has its full place, or was not made from an image.
    NotNeeded,
    /// There are files on the small place, or it is not as an image has it; it is kept.
    InUse,
}

/// Whether [`grow`] would find something to do. Nothing is written.
pub fn can_grow(stick: &Stick) -> Result<bool, Error> {
    disk_can_grow(&node(stick))
}

/// The same of the disk or image at this path.
pub fn disk_can_grow(path: &Path) -> Result<bool, Error> {
    let disk = File::open(path).map_err(Error::io("open", path))?;
    let Some((table, _)) = read_table(&disk, path)? else {
        return Ok(false);
    };
    match (table.rest(), table.place()) {
        (Some(_), _) => Ok(true),
        (None, Some(place)) => is_empty(&disk, place).map_err(Error::io(READ_SYSTEM, path)),
        (None, None) => Ok(false),
    }
}

/// Whether the new place counts already, and [`grow`] would only write the last of its table. Nothing is written.
pub fn is_half_grown(stick: &Stick) -> Result<bool, Error> {
    disk_is_half_grown(&node(stick))
}

fn disk_is_half_grown(path: &Path) -> Result<bool, Error> {
    let disk = File::open(path).map_err(Error::io("open", path))?;
    let table = read_table(&disk, path)?;
    Ok(table.is_some_and(|(table, _)| table.rest().is_some()))
}

/// Gives the place for results the rest of the disk, when the disk is a copy of an image that was made smaller than
/// it. `stick` has been recognised as the boot stick, and nothing of it is mounted.
pub fn grow(stick: &Stick) -> Result<Growth, Error> {
    grow_disk(&node(stick), &mut note_successor)
}

fn node(stick: &Stick) -> PathBuf {
    Path::new("/dev").join(&stick.disk)
}

/// The table, and the PARTUUID of the place for results, of a disk whose place can grow or has not wholly grown.
fn read_table(disk: &File, path: &Path) -> Result<Option<(Table, String)>, Error> {
    let entries = partition_table(path)?.into_iter();
    let mut ours = entries.filter(|entry| entry.kind == PARTITION_TYPE);
    let Some(data) = ours.next() else {
        return Ok(None);
    };
    let sectors = length(disk).map_err(Error::io("measure", path))? / SECTOR;
    let read = |span: Span| {
        let mut bytes = vec![0; usize::try_from(span.sectors * SECTOR).unwrap_or_default()];
        disk.read_exact_at(&mut bytes, span.first * SECTOR)
            .map_err(Error::io("read", path))?;
        Ok(bytes)
    };
    let head = read(Span {
        first: 0,
        sectors: 2,
    })?;
    let Some(entries) = entries_of(&head, sectors) else {
        return Ok(None);
    };
    let table = Table::read(&head, &read(entries)?, sectors, data.number);
    let table = table.filter(|it| it.new_place().is_some() || it.rest().is_some());
    Ok(table.zip(data.uuid))
}

fn write(disk: &File, path: &Path, writes: &[Write]) -> Result<(), Error> {
    for write in writes {
        disk.write_all_at(&write.bytes, write.sector * SECTOR)
            .and_then(|()| disk.sync_all())
            .map_err(Error::io("write the partition table of", path))?;
    }
    Ok(())
}

/// [`grow`] with the disk or image at this path. `note` hears the PARTUUID of the old place and that of the new one
/// before any table names it.
pub fn grow_disk(
    path: &Path,
    note: &mut dyn FnMut(&str, &str) -> Result<(), Error>,
) -> Result<Growth, Error> {
    let disk = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    let Some((table, old_id)) = read_table(&disk, path)? else {
        return Ok(Growth::NotNeeded);
    };
    if let Some(rest) = table.rest() {
        write(&disk, path, &rest)?;
        return Ok(Growth::Completed);
    }
    let [disk_id, partition] = random().map_err(Error::io("read", RANDOM))?;
    let ids = Ids {
        disk: disk_id,
        partition,
    };
    let plan = (table.place(), table.new_place(), table.writes(&ids));
    let (Some(old), Some(new), Some(writes)) = plan else {
        return Ok(Growth::NotNeeded);
    };
    if !is_empty(&disk, old).map_err(Error::io(READ_SYSTEM, path))? {
        return Ok(Growth::InUse);
    }
    let [a, b, c, d, ..] = disk_id;
    wipe(&disk, new)
        .and_then(|()| format(&disk, new, u32::from_le_bytes([a, b, c, d])))
        .and_then(|()| disk.sync_all())
        .map_err(Error::io("make a file system on", path))?;
    note(&old_id, &written(&partition))?;
    write(&disk, path, &writes)?;
    Ok(Growth::Grown(new.sectors * SECTOR))
}

fn length(mut disk: &File) -> io::Result<u64> {
    io::Seek::seek(&mut disk, io::SeekFrom::End(0))
}

fn window(disk: &File, span: Span) -> Window<'_> {
    Window::new(disk, span.first * SECTOR, span.sectors * SECTOR)
}

/// Whether there is a FAT16, as in an image, without any result. One that cannot be read is none.
fn is_empty(disk: &File, place: Span) -> io::Result<bool> {
    let system = FileSystem::new(window(disk, place), FsOptions::new())?;
    // The root of a FAT32 is a chain of clusters, and may be a ring.
    if system.fat_type() != FatType::Fat16 {
        return Ok(false);
    }
    for entry in system.root_dir().iter() {
        let name = entry?.file_name();
        if !NOT_RESULTS.contains(&name.as_str()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Zeros where other file systems and RAIDs have what they are known by: with an old one beside the new file system
/// nobody could say which of them counts.
fn wipe(disk: &File, place: Span) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(WIPED * SECTOR).unwrap_or_default()];
    let end = place.first + place.sectors;
    for sector in [place.first, end.saturating_sub(WIPED)] {
        disk.write_all_at(&zeros, sector * SECTOR)?;
    }
    Ok(())
}

/// Clusters as Microsoft's tools make them: the larger the file system, the larger, for small tables.
fn format(disk: &File, place: Span, id: u32) -> io::Result<()> {
    const GIB: u64 = 1 << 30;
    let cluster = match place.sectors * SECTOR {
        length if length <= 256 << 20 => 512,
        length if length <= 8 * GIB => 4 << 10,
        length if length <= 16 * GIB => 8 << 10,
        length if length <= 32 * GIB => 16 << 10,
        _ => 32 << 10,
    };
    let mut label = [b' '; 11];
    for (place, letter) in label.iter_mut().zip(VOLUME_LABEL.bytes()) {
        *place = letter;
    }
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(cluster)
        .volume_id(id)
        .volume_label(label);
    fatfs::format_volume(window(disk, place), options)
}

/// A GUID that is on disk in these bytes, as it is written: the first three fields are little-endian.
fn written(bytes: &[u8; 16]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (place, index) in order.into_iter().enumerate() {
        if [4, 6, 8, 10].contains(&place) {
            text.push('-');
        }
        let byte = bytes.get(index).copied().unwrap_or_default();
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

const RANDOM: &str = "/dev/urandom";

/// Two random GUIDs, version 4 (RFC 9562), as on disk.
fn random() -> io::Result<[[u8; 16]; 2]> {
    let mut ids = [[0; 16]; 2];
    let mut source = File::open(RANDOM)?;
    for id in &mut ids {
        source.read_exact(id)?;
        let [.., version, variant, _, _, _, _, _, _, _] = id;
        *version = *version & 0x0f | 0x40;
        *variant = *variant & 0x3f | 0x80;
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;
