//! The stick's partition table as its bytes, and the writes that give it a larger place for results
//! (UEFI specification, section 5.3).

/// Bytes of a sector; the image has no other.
pub(super) const SECTOR: u64 = 512;
/// Sectors that [`Table::read`] wants: boot sector, header, entries.
pub(super) const HEAD: u64 = 2 + ENTRIES_SECTORS;

const ENTRIES: usize = 128;
const ENTRY: usize = 128;
const ENTRIES_SECTORS: u64 = (ENTRIES * ENTRY) as u64 / SECTOR;
/// Where entries stand: always in the end, and for the time between two writes.
const ENTRIES_LBA: u64 = 2;
const OTHER_ENTRIES_LBA: u64 = HEAD;
/// Partitions start at multiples of this many sectors: 1 MiB.
const ALIGNMENT: u64 = 2048;
/// Less is not worth it, and makes no FAT32.
const LEAST_GAIN: u64 = (64 << 20) / SECTOR;
/// A FAT32 knows no more sectors than 32 bits count.
const MOST: u64 = u32::MAX as u64;

/// Offsets in the header.
mod header {
    pub(super) const LENGTH: usize = 92;
    pub(super) const CHECKSUM: usize = 16;
    pub(super) const OWN_LBA: usize = 24;
    pub(super) const OTHER_LBA: usize = 32;
    pub(super) const FIRST_USABLE: usize = 40;
    pub(super) const LAST_USABLE: usize = 48;
    pub(super) const DISK_ID: usize = 56;
    pub(super) const ENTRIES_LBA: usize = 72;
    pub(super) const ENTRIES: usize = 80;
    pub(super) const ENTRIES_CHECKSUM: usize = 88;
}

/// Offsets in an entry.
mod entry {
    pub(super) const ID: usize = 16;
    pub(super) const FIRST: usize = 32;
    pub(super) const LAST: usize = 40;
}

/// Offset of the number of sectors of the protective partition in the boot sector.
const PROTECTED_SECTORS: usize = 446 + 12;

/// Bytes for a place on the disk. Each write is on the disk before the next one starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) sector: u64,
    pub(super) bytes: Vec<u8>,
}

/// A table of a disk that has room behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    boot_sector: Vec<u8>,
    header: Vec<u8>,
    entries: Vec<u8>,
    /// Index of the data partition's entry.
    data: usize,
    /// Sectors of the disk.
    sectors: u64,
}

/// First sector and number of sectors of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) sectors: u64,
}

/// Identities that no other stick has, random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) disk: [u8; 16],
    pub(super) partition: [u8; 16],
}

impl Table {
    /// The table in the first [`HEAD`] sectors of a disk with so many sectors; none unless it is whole and just
    /// what an image has whose copy was written to a larger disk: the second table lies before the disk's end, and
    /// the last partition is number `data`, ours.
    pub(super) fn read(head: &[u8], sectors: u64, data: u32) -> Option<Self> {
        let sector = usize::try_from(SECTOR).ok()?;
        let boot_sector = head.get(..sector)?.to_vec();
        let header = head.get(sector..2 * sector)?.to_vec();
        let entries = head.get(2 * sector..)?.get(..ENTRIES * ENTRY)?.to_vec();
        let table = Self {
            boot_sector,
            header,
            entries,
            data: usize::try_from(data).ok()?.checked_sub(1)?,
            sectors,
        };
        table.is_sound().then_some(table)
    }

    fn is_sound(&self) -> bool {
        let field = |at| number(&self.header, at);
        let sizes = [ENTRIES, ENTRY].map(|size| u32::try_from(size).unwrap_or(0).to_le_bytes());
        let known = self.header.starts_with(b"EFI PART\0\0\x01\0\x5c\0\0\0")
            && self.header.get(header::ENTRIES..header::ENTRIES + 8) == Some(sizes.as_flattened())
            && field(header::OWN_LBA) == Some(1)
            && field(header::ENTRIES_LBA) == Some(ENTRIES_LBA);
        let mut checked = self.header.clone();
        seal(&mut checked, &self.entries);
        let last = |index| number(self.entry(index)?, entry::LAST);
        let ends: Option<Vec<u64>> = (0..ENTRIES).map(last).collect();
        let is_last = ends.is_some_and(|ends| {
            ends.iter().max() == ends.get(self.data) && ends.get(self.data) > Some(&0)
        });
        // The new place begins behind the second table, so no partition may lie there.
        let is_before_other = self.place().map(|place| place.first + place.sectors)
            <= number(&self.header, header::OTHER_LBA);
        // A CD's own file system begins right behind a table that is larger than ours, where entries stand in between.
        let is_free = (0..ENTRIES).all(|index| {
            let field = |at| self.entry(index).and_then(|entry| number(entry, at));
            field(entry::LAST) == Some(0)
                || field(entry::FIRST) >= Some(OTHER_ENTRIES_LBA + ENTRIES_SECTORS)
        });
        known
            && checked == self.header
            && is_last
            && is_before_other
            && is_free
            && self.new_place().is_some()
    }

    fn entry(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_mul(ENTRY)?;
        self.entries.get(start..start + ENTRY)
    }

    /// Where results are now.
    pub(super) fn place(&self) -> Option<Span> {
        let entry = self.entry(self.data)?;
        let first = number(entry, entry::FIRST)?;
        let end = number(entry, entry::LAST)?.checked_add(1)?;
        let sectors = end.checked_sub(first).filter(|sectors| *sectors > 0)?;
        Some(Span { first, sectors })
    }

    /// Where they will be: behind the second table that the image came with, so that until the new table counts
    /// nothing is written to what the old one names.
    pub(super) fn new_place(&self) -> Option<Span> {
        let old_end = number(&self.header, header::OTHER_LBA)?.checked_add(1)?;
        let first = old_end.checked_next_multiple_of(ALIGNMENT)?;
        let last_usable = self.last_usable()?;
        let sectors = (last_usable + 1).checked_sub(first)?.min(MOST);
        let sectors = sectors / ALIGNMENT * ALIGNMENT;
        (sectors >= LEAST_GAIN).then_some(Span { first, sectors })
    }

    fn last_usable(&self) -> Option<u64> {
        self.sectors.checked_sub(ENTRIES_SECTORS + 2)
    }

    /// What makes the new place the one for results, once it has a file system. Of the tables that the disk is read
    /// by, each write changes one sector of one at most, and that from a sound state to a sound one: the second
    /// table goes to the end of the disk, where nobody looks yet; then the first header names entries beside
    /// the old ones; then those are written to where they belong, and named there.
    pub(super) fn writes(&self, ids: &Ids) -> Option<Vec<Write>> {
        let place = self.new_place()?;
        let mut entries = self.entries.clone();
        let entry = entries.get_mut(self.data * ENTRY..)?.get_mut(..ENTRY)?;
        put(entry, entry::ID, &ids.partition)?;
        put(entry, entry::FIRST, &place.first.to_le_bytes())?;
        let last = place.first + place.sectors - 1;
        put(entry, entry::LAST, &last.to_le_bytes())?;

        let last_sector = self.sectors.checked_sub(1)?;
        let last_usable = self.last_usable()?;
        // Between two writes, too, both headers have to say the same, or tools that check tables find a fault.
        let first_usable = OTHER_ENTRIES_LBA + ENTRIES_SECTORS;
        let header = |own: u64, other: u64, at: u64| {
            let mut bytes = self.header.clone();
            let fields = [
                (header::OWN_LBA, own),
                (header::OTHER_LBA, other),
                (header::FIRST_USABLE, first_usable),
                (header::LAST_USABLE, last_usable),
                (header::ENTRIES_LBA, at),
            ];
            for (field, value) in fields {
                put(&mut bytes, field, &value.to_le_bytes())?;
            }
            put(&mut bytes, header::DISK_ID, &ids.disk)?;
            seal(&mut bytes, &entries);
            Some(bytes)
        };
        let mut boot_sector = self.boot_sector.clone();
        let protected = u32::try_from(last_sector).unwrap_or(u32::MAX);
        put(
            &mut boot_sector,
            PROTECTED_SECTORS,
            &protected.to_le_bytes(),
        )?;
        let write = |sector, bytes| Write { sector, bytes };
        Some(vec![
            write(last_usable + 1, entries.clone()),
            write(last_sector, header(last_sector, 1, last_usable + 1)?),
            write(OTHER_ENTRIES_LBA, entries.clone()),
            write(1, header(1, last_sector, OTHER_ENTRIES_LBA)?),
            write(ENTRIES_LBA, entries.clone()),
            write(1, header(1, last_sector, ENTRIES_LBA)?),
            write(0, boot_sector),
        ])
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..at + value.len())?.copy_from_slice(value);
    Some(())
}

/// Gives a header its two checksums.
fn seal(header: &mut [u8], entries: &[u8]) {
    let _ = put(
        header,
        header::ENTRIES_CHECKSUM,
        &crc32(entries).to_le_bytes(),
    );
    let _ = put(header, header::CHECKSUM, &[0; 4]);
    let sum = crc32(header.get(..header::LENGTH).unwrap_or_default());
    let _ = put(header, header::CHECKSUM, &sum.to_le_bytes());
}

/// CRC-32 as the UEFI specification wants it (ISO 3309, reflected, polynomial 0x04c11db7).
fn crc32(bytes: &[u8]) -> u32 {
    const REFLECTED: u32 = 0xedb8_8320;
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (REFLECTED & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests;
