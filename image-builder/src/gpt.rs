//! Partition tables (UEFI specification, chapter 5) whose identities follow from the content.

use std::fmt;
use std::io::{Read, Seek, Write};

use gptman::{GPT, GPTPartitionEntry};
use sha2::{Digest, Sha256};

/// Bytes of a sector. A stick with sectors of another size does not boot on any PC.
pub const SECTOR: u64 = 512;

/// A GUID, written `4c74f8b9-5713-434e-a95c-cf77e5831dbf` and as a number in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub u128);

/// Partition type of the place where GRUB's core lies for BIOS.
pub const BIOS_BOOT: Guid = Guid(0x21686148_6449_6e6f_744e_656564454649);
/// Partition type of an EFI system partition (UEFI specification, table 5-7).
pub const EFI_SYSTEM: Guid = Guid(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b);
/// Partition type of the place where Preflight saves its results. Preflight takes a USB disk that has it
/// for its stick, and no other disk.
pub const PREFLIGHT_DATA: Guid = Guid(0x4c74f8b9_5713_434e_a95c_cf77e5831dbf);

impl Guid {
    /// The GUID of `name` in what has this digest: version 8, which RFC 9562 leaves to applications.
    pub fn derived(digest: &[u8; 32], name: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(digest)
            .chain_update(name)
            .finalize();
        let bytes = hash.iter().take(16);
        let number = bytes.fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        const VERSION: u128 = 0xf << 76;
        const VARIANT: u128 = 0b11 << 62;
        Self(number & !VERSION & !VARIANT | 8 << 76 | 0b10 << 62)
    }

    /// As on disk: the first three fields little-endian (UEFI specification, appendix A).
    pub fn bytes(self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0.to_be_bytes();
        let [i, j, k, l, m, n, o, p] = rest;
        [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let part = |from, to| digits.get(from..to).unwrap_or_default();
        write!(
            f,
            "{}-{}-{}-{}-{}",
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32)
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A partition of a table in the making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its type.
    pub kind: Guid,
    /// Its own identity, PARTUUID.
    pub id: Guid,
    /// Its name, PARTLABEL.
    pub name: &'static str,
    /// First byte, a multiple of [`SECTOR`].
    pub start: u64,
    /// Bytes, a multiple of [`SECTOR`].
    pub length: u64,
}

/// Writes a protective MBR and both copies of the table onto a disk, whose end is where `disk` ends.
///
/// # Errors
/// When a partition lies where the tables are or in another one, or when the disk cannot be written.
pub fn write<D: Read + Write + Seek>(
    disk: &mut D,
    id: Guid,
    partitions: &[Partition],
) -> Result<(), gptman::Error> {
    let mut table = GPT::new_from(disk, SECTOR, id.bytes())?;
    for (number, partition) in (1..).zip(partitions) {
        let end = (partition.start + partition.length) / SECTOR;
        let entry = GPTPartitionEntry {
            partition_type_guid: partition.kind.bytes(),
            unique_partition_guid: partition.id.bytes(),
            starting_lba: partition.start / SECTOR,
            ending_lba: end.saturating_sub(1),
            attribute_bits: 0,
            partition_name: partition.name.into(),
        };
        // Indexing would panic past the 128th.
        if let Some((_, place)) = table.iter_mut().find(|(place, _)| *place == number) {
            *place = entry;
        }
    }
    // Not marked active: firmware that follows UEFI does not take such a disk for one with a GPT.
    GPT::write_protective_mbr_into(disk, SECTOR)?;
    table.write_into(disk)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_guid_has_its_first_three_fields_little_endian() {
        let bytes = PREFLIGHT_DATA.bytes();
        assert_eq!(bytes[..8], [0xb9, 0xf8, 0x74, 0x4c, 0x13, 0x57, 0x4e, 0x43]);
        assert_eq!(bytes[8..], [0xa9, 0x5c, 0xcf, 0x77, 0xe5, 0x83, 0x1d, 0xbf]);
        assert_eq!(
            PREFLIGHT_DATA.to_string(),
            "4c74f8b9-5713-434e-a95c-cf77e5831dbf"
        );
    }

    #[test]
    fn a_derived_guid_follows_from_digest_and_name_and_says_how_it_was_made() {
        let guid = Guid::derived(&[1; 32], "disk");
        assert_eq!(guid, Guid::derived(&[1; 32], "disk"));
        assert_ne!(guid, Guid::derived(&[1; 32], "data"));
        assert_ne!(guid, Guid::derived(&[2; 32], "disk"));
        let text = guid.to_string();
        assert_eq!(text.as_bytes()[14], b'8', "{text}");
        assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
    }

    /// One from the first MiB on.
    fn partition(length: u64) -> Partition {
        Partition {
            kind: PREFLIGHT_DATA,
            id: Guid(1),
            name: "PREFLIGHT",
            start: 1 << 20,
            length,
        }
    }

    #[test]
    fn a_table_is_read_back_from_both_ends() {
        let mut disk = Cursor::new(vec![0; 8 << 20]);
        write(&mut disk, Guid(2), &[partition(6 << 20)]).unwrap();
        let table = GPT::read_from(&mut disk, SECTOR).unwrap();
        assert_eq!(table[1].starting_lba, 2048);
        assert_eq!(table[1].ending_lba, 7 * 2048 - 1);
        assert_eq!(table[1].partition_name.as_str(), "PREFLIGHT");
        // Without the first one the second one counts.
        disk.get_mut()[512..1024].fill(0);
        let second = GPT::read_from(&mut disk, SECTOR).unwrap();
        assert_eq!(second[1].unique_partition_guid, Guid(1).bytes());
    }

    #[test]
    fn a_partition_over_the_table_is_refused() {
        let mut disk = Cursor::new(vec![0; 8 << 20]);
        assert!(write(&mut disk, Guid(2), &[partition(7 << 20)]).is_err());
    }
}
