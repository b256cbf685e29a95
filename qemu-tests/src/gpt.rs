use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use gptman::{GPT, GPTPartitionEntry};

pub(crate) const SECTOR: u64 = 512;

/// First byte of the only partition.
pub(crate) const START: u64 = 2048 * SECTOR;

/// Room for the second table at the end of the disk.
const TAIL: u64 = 2048 * SECTOR;

/// A GUID as it is written, `4c74f8b9-5713-434e-a95c-cf77e5831dbf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guid(pub(crate) &'static str);

/// The type that our data partition has.
pub(crate) const PREFLIGHT_DATA: Guid = Guid("4c74f8b9-5713-434e-a95c-cf77e5831dbf");

/// Linux file system data (Discoverable Partitions Specification).
pub(crate) const LINUX_DATA: Guid = Guid("0fc63daf-8483-4772-8e79-3d69d8477de4");

/// Basic data, what most sticks have.
pub(crate) const BASIC_DATA: Guid = Guid("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");

impl Guid {
    /// As on disk: the first three fields little-endian (UEFI specification, appendix A).
    fn bytes(self) -> io::Result<[u8; 16]> {
        let digits: String = self.0.chars().filter(|c| *c != '-').collect();
        let number = u128::from_str_radix(&digits, 16).map_err(io::Error::other)?;
        let mut bytes = number.to_be_bytes();
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        Ok(bytes)
    }
}

/// Makes `path` a disk of one partition of type `kind` with these contents.
pub(crate) fn write_disk(path: &Path, kind: Guid, name: &str, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let length = u64::try_from(contents.len()).map_err(io::Error::other)?;
    file.set_len(START + length.next_multiple_of(SECTOR) + TAIL)?;

    let mut table = GPT::new_from(&mut file, SECTOR, [0x11; 16]).map_err(io::Error::other)?;
    table[1] = GPTPartitionEntry {
        partition_type_guid: kind.bytes()?,
        unique_partition_guid: [0x22; 16],
        starting_lba: START / SECTOR,
        ending_lba: (START + length).div_ceil(SECTOR) - 1,
        attribute_bits: 0,
        partition_name: name.into(),
    };
    GPT::write_protective_mbr_into(&mut file, SECTOR).map_err(io::Error::other)?;
    table.write_into(&mut file).map_err(io::Error::other)?;

    file.seek(SeekFrom::Start(START))?;
    // Holes stay holes: a mostly empty file system costs no room.
    let mut at = 0;
    for block in contents.chunks(1 << 16) {
        if block.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(START + at))?;
            file.write_all(block)?;
        }
        at += block.len() as u64;
    }
    file.sync_all()
}

/// The bytes of the partition of Preflight's type, or of this name: those of a CD have names of its maker's.
pub(crate) fn place_for_results<D: Read + Seek>(
    disk: &mut D,
    name: &str,
) -> io::Result<Range<usize>> {
    let table = GPT::find_from(disk).map_err(io::Error::other)?;
    let kind = PREFLIGHT_DATA.bytes()?;
    let is_it = |(_, entry): &(u32, &GPTPartitionEntry)| {
        let ours = entry.partition_type_guid == kind;
        entry.is_used() && (ours || entry.partition_name.as_str() == name)
    };
    let (number, _) = table.iter().find(is_it).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no partition {name}"),
        )
    })?;
    let place = table
        .get_partition_byte_range(number)
        .map_err(io::Error::other)?;
    let number = |byte: u64| usize::try_from(byte).map_err(io::Error::other);
    Ok(number(*place.start())?..number(*place.end())? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_its_first_three_fields_little_endian() {
        let bytes = PREFLIGHT_DATA.bytes().unwrap();
        assert_eq!(bytes[..8], [0xb9, 0xf8, 0x74, 0x4c, 0x13, 0x57, 0x4e, 0x43]);
        assert_eq!(bytes[8..], [0xa9, 0x5c, 0xcf, 0x77, 0xe5, 0x83, 0x1d, 0xbf]);
    }

    #[test]
    fn the_partition_holds_the_contents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        let contents = vec![7; 100_000];
        write_disk(&path, LINUX_DATA, "data", &contents).unwrap();
        let mut file = std::fs::File::open(&path).unwrap();
        let table = GPT::find_from(&mut file).unwrap();
        assert_eq!(table[1].starting_lba * SECTOR, START);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            bytes[usize::try_from(START).unwrap()..][..contents.len()],
            contents
        );
    }
}
