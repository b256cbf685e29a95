use flate2::Crc;
use serde::Serialize;

use super::super::source::Source;
use crate::gpt::{Guid, SECTOR};

const SIGNATURE: &[u8] = b"EFI PART";
const HEADER: usize = 92;
const ENTRY: usize = 128;
/// A table has 128 nearly always; more than these is no table that anything wrote.
const MOST_ENTRIES: u32 = 1024;

/// One of the two copies of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableCopy {
    /// Its checksums hold.
    Whole,
    /// It is not, and why.
    Damaged(String),
}

/// A partition as a table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) kind: Guid,
    pub(super) id: Guid,
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) length: u64,
}

/// A table that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) id: Guid,
    pub(super) entries: Vec<Entry>,
}

/// The table in front and the one at the end (UEFI specification, 5.3); none where neither has its signature.
pub(super) fn read(source: &Source) -> Option<([Result<Table, String>; 2], u64)> {
    let last = (source.length() / SECTOR).checked_sub(1)?;
    let sectors = [1, last];
    let is_marked = |sector: u64| {
        let start = source.read(sector.checked_mul(SECTOR)?, SIGNATURE.len() as u64)?;
        Some(start == SIGNATURE)
    };
    let marked = sectors
        .iter()
        .any(|sector| is_marked(*sector) == Some(true));
    marked.then(|| (sectors.map(|sector| copy(source, sector)), last))
}

fn copy(source: &Source, sector: u64) -> Result<Table, String> {
    let at = sector.saturating_mul(SECTOR);
    let mut header = source.read(at, HEADER as u64).ok_or("it cannot be read")?;
    if !header.starts_with(SIGNATURE) {
        return Err("it has no signature".to_owned());
    }
    let long = |at: usize| Some(u64::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let short = |at: usize| Some(u32::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let guid = header.get(56..).and_then(|bytes| bytes.first_chunk());
    let fields = || {
        Some((
            short(12)?,
            short(16)?,
            long(24)?,
            long(72)?,
            short(80)?,
            short(84)?,
            short(88)?,
        ))
    };
    let ((size, sum, own, first, count, entry, entries_sum), id) =
        fields().zip(guid.map(guid_of)).ok_or("it is cut")?;
    if size as usize != HEADER || entry as usize != ENTRY || count > MOST_ENTRIES {
        return Err(format!(
            "its header says {count} entries of {entry} bytes behind {size} bytes"
        ));
    }
    if let Some(field) = header.get_mut(16..20) {
        field.fill(0);
    }
    if checksum(&header) != sum {
        return Err("the checksum of its header does not hold".to_owned());
    }
    if own != sector {
        return Err(format!(
            "it says that it stands in sector {own}, and stands in {sector}"
        ));
    }
    let bytes = first.checked_mul(SECTOR);
    let bytes = bytes.and_then(|at| source.read(at, u64::from(count) * ENTRY as u64));
    let bytes = bytes.ok_or("its entries lie past the end")?;
    if checksum(&bytes) != entries_sum {
        return Err("the checksum of its entries does not hold".to_owned());
    }
    let entries = (1..)
        .zip(bytes.chunks_exact(ENTRY))
        .filter_map(|(number, bytes)| partition(number, bytes));
    Ok(Table {
        id,
        entries: entries.collect(),
    })
}

/// None where the entry is not used.
fn partition(number: u32, bytes: &[u8]) -> Option<Entry> {
    let guid = |at: usize| Some(guid_of(bytes.get(at..)?.first_chunk()?));
    let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let kind = guid(0)?;
    let (first, last) = (long(32)?, long(40)?);
    let name = bytes.get(56..ENTRY)?.chunks_exact(2);
    let name: Vec<u16> = name
        .filter_map(|unit| Some(u16::from_le_bytes(*unit.first_chunk()?)))
        .take_while(|unit| *unit != 0)
        .collect();
    let sectors = last
        .checked_sub(first)
        .and_then(|sectors| sectors.checked_add(1));
    (kind.0 != 0).then(|| Entry {
        number,
        kind,
        id: guid(16).unwrap_or(Guid(0)),
        name: String::from_utf16_lossy(&name),
        start: first.saturating_mul(SECTOR),
        length: sectors.unwrap_or(0).saturating_mul(SECTOR),
    })
}

/// From disk: the first three fields are little-endian (UEFI specification, appendix A).
fn guid_of(bytes: &[u8; 16]) -> Guid {
    // The same exchange of bytes leads both ways.
    Guid(u128::from_be_bytes(
        Guid(u128::from_be_bytes(*bytes)).bytes(),
    ))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
