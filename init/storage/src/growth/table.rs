//! The stick's partition table as its bytes, and the writes that give it a larger place for results
//! (UEFI specification, section 5.3).

/// Bytes of a sector; the image has no other.
pub(super) const SECTOR: u64 = 512;
/// Bytes of an entry.
const ENTRY: usize = 128;
/// How many entries a table has: 128 on a stick, 248 on a CD's image.
const ENTRIES: std::ops::RangeInclusive<u32> = 128..=256;
/// Where entries stand, but for the time between two writes.
const ENTRIES_LBA: u64 = 2;
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
    pub(super) const LAST_USABLE: usize = 48;
    pub(super) const DISK_ID: usize = 56;
    pub(super) const ENTRIES_LBA: usize = 72;
    pub(super) const ENTRIES: usize = 80;
    pub(super) const ENTRY_SIZE: usize = 84;
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

/// A whole table with our partition as the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    boot_sector: Vec<u8>,
    header: Vec<u8>,
    entries: Vec<u8>,
    /// Index of the data partition's entry, the last on the disk.
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

impl Span {
    /// The sector behind it.
    fn end(self) -> u64 {
        self.first.saturating_add(self.sectors)
    }
}

/// Identities that no other stick has, random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) disk: [u8; 16],
    pub(super) partition: [u8; 16],
}

/// Where the entries of a header are that stands behind a boot sector in `head`; none on a disk of so many sectors.
pub(super) fn entries_of(head: &[u8], sectors: u64) -> Option<Span> {
    let header = head.get(usize::try_from(SECTOR).ok()?..)?;
    let known = header.starts_with(b"EFI PART\0\0\x01\0\x5c\0\0\0");
    let [count, size] = [header::ENTRIES, header::ENTRY_SIZE].map(|at| number32(header, at));
    let count = count.filter(|count| known && ENTRIES.contains(count))?;
    let size = size.map(u64::from).filter(|size| *size == ENTRY as u64)?;
    let bytes = u64::from(count) * size;
    let span = Span {
        first: number(header, header::ENTRIES_LBA)?,
        sectors: bytes.div_ceil(SECTOR),
    };
    let end = span.first.checked_add(span.sectors)?;
    (span.first >= ENTRIES_LBA && end <= sectors).then_some(span)
}

impl Table {
    /// The table of a disk with so many sectors: `head` is its boot sector and the first header, `entries` what
    /// [`entries_of`] names. None unless it is whole, and the last partition is number `data`, ours.
    pub(super) fn read(head: &[u8], entries: &[u8], sectors: u64, data: u32) -> Option<Self> {
        let sector = usize::try_from(SECTOR).ok()?;
        let place = entries_of(head, sectors)?;
        let table = Self {
            boot_sector: head.get(..sector)?.to_vec(),
            header: head.get(sector..2 * sector)?.to_vec(),
            entries: entries.to_vec(),
            data: usize::try_from(data).ok()?.checked_sub(1)?,
            sectors,
        };
        (table.entries_sectors() == place.sectors && table.is_sound()).then_some(table)
    }

    fn is_sound(&self) -> bool {
        let mut checked = self.header.clone();
        seal(&mut checked, &self.entries);
        let spans = || self.entries.chunks(ENTRY).map(span_of);
        let ends = || spans().map(|span| span.map_or(0, Span::end));
        let is_last = ends().max() == ends().nth(self.data) && ends().nth(self.data) > Some(0);
        let has_room = |span: Span| span.first >= ENTRIES_LBA + self.entries_sectors();
        number(&self.header, header::OWN_LBA) == Some(1)
            && checked == self.header
            && is_last
            && spans().flatten().all(has_room)
    }

    fn entries_sectors(&self) -> u64 {
        (self.entries.len() as u64).div_ceil(SECTOR)
    }

    fn entries_lba(&self) -> Option<u64> {
        number(&self.header, header::ENTRIES_LBA)
    }

    /// Where results are now.
    pub(super) fn place(&self) -> Option<Span> {
        span_of(self.entries.get(self.data.checked_mul(ENTRY)?..)?)
    }

    /// Where other entries are while those behind the first header are written: behind the second table that the
    /// image came with.
    fn other_entries(&self) -> Option<u64> {
        number(&self.header, header::OTHER_LBA)?.checked_add(1)
    }

    /// Where they will be, when the table is that of an image whose copy was written to a larger disk: behind all
    /// that the image came with, so that until the new table counts nothing is written to what the old one names.
    pub(super) fn new_place(&self) -> Option<Span> {
        let behind = self.other_entries()?.checked_add(self.entries_sectors())?;
        let first = behind.checked_next_multiple_of(ALIGNMENT)?;
        let end = self.last_usable()? + 1;
        let sectors = end.checked_sub(first)?.min(MOST) / ALIGNMENT * ALIGNMENT;
        let is_of_image = self.entries_lba() == Some(ENTRIES_LBA)
            && number(&self.header, header::OTHER_LBA) >= self.place().map(Span::end);
        (is_of_image && sectors >= LEAST_GAIN).then_some(Span { first, sectors })
    }

    fn last_usable(&self) -> Option<u64> {
        self.sectors.checked_sub(self.entries_sectors() + 2)
    }

    /// What makes the new place the one for results, once it has a file system. Of the tables that the disk is read
    /// by, each write changes one sector of one at most, and that from a sound state to a sound one: the second
    /// table goes to the end of the disk, where nobody looks yet; then the first header names entries elsewhere;
    /// then those are written to where they belong, and named there.
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
        let other_entries = self.other_entries()?;
        let header = |own: u64, other: u64, at: u64| {
            let mut bytes = self.header.clone();
            let fields = [
                (header::OWN_LBA, own),
                (header::OTHER_LBA, other),
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
            write(0, boot_sector),
            write(other_entries, entries.clone()),
            write(1, header(1, last_sector, other_entries)?),
            write(ENTRIES_LBA, entries.clone()),
            write(1, header(1, last_sector, ENTRIES_LBA)?),
        ])
    }

    /// What is left to write where the power went after the new place had begun to count: nothing but the entries'
    /// way home. None where there is nothing left.
    pub(super) fn rest(&self) -> Option<Vec<Write>> {
        let away = self.entries_lba()?;
        let is_ours = number(&self.header, header::OTHER_LBA) == self.sectors.checked_sub(1)
            && away.checked_add(self.entries_sectors())? <= self.place()?.first;
        if away == ENTRIES_LBA || !is_ours {
            return None;
        }
        let mut header = self.header.clone();
        put(&mut header, header::ENTRIES_LBA, &ENTRIES_LBA.to_le_bytes())?;
        seal(&mut header, &self.entries);
        let write = |sector, bytes| Write { sector, bytes };
        Some(vec![
            write(ENTRIES_LBA, self.entries.clone()),
            write(1, header),
        ])
    }
}

/// Where the partition of an entry is; none of an unused one.
fn span_of(entry: &[u8]) -> Option<Span> {
    let first = number(entry, entry::FIRST)?;
    let end = number(entry, entry::LAST)?.checked_add(1)?;
    let sectors = end
        .checked_sub(first)
        .filter(|_| first > 0 && end > first)?;
    Some(Span { first, sectors })
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
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
