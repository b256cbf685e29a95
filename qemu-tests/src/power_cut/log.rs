use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The first eight bytes of a log (linux/drivers/md/dm-log-writes.c, `WRITE_LOG_MAGIC`).
pub(super) const MAGIC: u64 = 0x006a_7366_7773_6872;
pub(super) const VERSION: u64 = 1;

/// Flags of an entry (same file, `LOG_*_FLAG`).
pub(super) mod flag {
    pub const FLUSH: u64 = 1;
    pub const FUA: u64 = 1 << 1;
    pub const DISCARD: u64 = 1 << 2;
    pub const MARK: u64 = 1 << 3;
    pub const METADATA: u64 = 1 << 4;
}

/// Largest log that is taken into memory, bytes.
const LARGEST: u64 = 2 << 30;

/// Bytes of the fixed part of an entry: sector, number of sectors, flags, length of a mark's text.
const HEADER: usize = 32;

/// Why a file is not a log of writes.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be read.
    #[error("{}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is larger than a test's log can be.
    #[error("{}: {length} bytes; a log of more than {LARGEST} is not read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length, bytes.
        length: u64,
    },
    /// It does not begin like one.
    #[error("not a log of writes: it begins with {0:#x} instead of {MAGIC:#x}")]
    Magic(u64),
    /// It has another version.
    #[error("a log of writes of version {0}; only version {VERSION} is known")]
    Version(u64),
    /// Its sector size is not a power of two from 512 to 65536.
    #[error("a log of writes with sectors of {0} bytes")]
    SectorSize(u32),
    /// An entry reaches beyond the end of the file.
    #[error("entry {entry} of the log reaches beyond its end at byte {length}")]
    Cut {
        /// Number of the entry, from 0.
        entry: u64,
        /// Length of the log, bytes.
        length: usize,
    },
    /// An entry is for a place that no disk has.
    #[error("entry {entry} of the log is for sector {sector}, which no disk has")]
    Place {
        /// Number of the entry, from 0.
        entry: u64,
        /// The sector, in the log's sectors.
        sector: u64,
    },
    /// An entry has flags that nobody knows.
    #[error("entry {entry} of the log has unknown flags {flags:#x}")]
    Flags {
        /// Number of the entry, from 0.
        entry: u64,
        /// All its flags.
        flags: u64,
    },
}

/// One thing that happened to the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes were written.
    Write {
        /// First byte on the disk; a multiple of the sector size.
        offset: u64,
        /// Where the bytes are in the log: whole sectors.
        data: Range<usize>,
        /// The write was durable when it was done (force unit access).
        durable: bool,
    },
    /// A range was given back. The lab's disks ignore that and keep what they have.
    Discard {
        /// First byte on the disk.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// All that was written before is durable.
    Flush,
    /// A note.
    Mark(String),
}

/// A log in the format of dm-log-writes, as the kernel's target and QEMU's `blklogwrites` write it: one
/// sector with magic, version (u64 each), number of entries (u64) and sector size (u32), then one sector
/// with its fixed part for each entry, followed by its data. All numbers are little-endian.
#[derive(Clone, Debug)]
pub struct WriteLog {
    bytes: Vec<u8>,
    sector: usize,
    operations: Vec<Operation>,
}

impl WriteLog {
    /// Reads a log file.
    pub fn read(path: &Path) -> Result<Self, LogError> {
        let at = |cause| LogError::Read {
            path: path.to_owned(),
            cause,
        };
        let length = fs::metadata(path).map_err(at)?.len();
        if length > LARGEST {
            return Err(LogError::TooLarge {
                path: path.to_owned(),
                length,
            });
        }
        Self::parse(fs::read(path).map_err(at)?)
    }

    /// Parses a log.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, LogError> {
        let cut = |entry| LogError::Cut {
            entry,
            length: bytes.len(),
        };
        let magic = u64_at(&bytes, 0).ok_or(cut(0))?;
        if magic != MAGIC {
            return Err(LogError::Magic(magic));
        }
        let version = u64_at(&bytes, 8).ok_or(cut(0))?;
        if version != VERSION {
            return Err(LogError::Version(version));
        }
        let entries = u64_at(&bytes, 16).ok_or(cut(0))?;
        let sector = u32_at(&bytes, 24).ok_or(cut(0))?;
        let size = usize::try_from(sector).unwrap_or(0);
        if !size.is_power_of_two() || !(512..=65_536).contains(&size) {
            return Err(LogError::SectorSize(sector));
        }
        let mut log = Self {
            sector: size,
            operations: Vec::new(),
            bytes,
        };
        // Each entry takes a sector of the file at least, so a lie about their number ends soon.
        let mut at = size;
        for entry in 0..entries {
            at = log.entry(entry, at)?;
        }
        Ok(log)
    }

    /// Takes the entry at `at`; where the next one is.
    fn entry(&mut self, entry: u64, at: usize) -> Result<usize, LogError> {
        let cut = || LogError::Cut {
            entry,
            length: self.bytes.len(),
        };
        let word = |index: usize| u64_at(&self.bytes, at.checked_add(index * 8)?);
        let fixed = at.checked_add(HEADER).ok_or_else(cut)?;
        if fixed > self.bytes.len() {
            return Err(cut());
        }
        let [sector, sectors, flags, noted] =
            [0, 1, 2, 3].map(|index| word(index).unwrap_or_default());
        let known = flag::FLUSH | flag::FUA | flag::DISCARD | flag::MARK | flag::METADATA;
        if flags & !known != 0 {
            return Err(LogError::Flags { entry, flags });
        }
        let place = LogError::Place { entry, sector };
        let unit = self.sector as u64;
        let (Some(offset), Some(length)) = (sector.checked_mul(unit), sectors.checked_mul(unit))
        else {
            return Err(place);
        };
        if offset.checked_add(length).is_none() {
            return Err(place);
        }
        let data = at.checked_add(self.sector).ok_or_else(cut)?;
        let stored = match flags {
            _ if flags & flag::DISCARD != 0 => 0,
            _ if flags & flag::MARK != 0 => noted,
            _ => length,
        };
        let range = data..usize::try_from(stored)
            .ok()
            .and_then(|stored| data.checked_add(stored))
            .ok_or_else(cut)?;
        if stored > 0 && range.end > self.bytes.len() {
            return Err(cut());
        }
        // A flush that carries data comes before it (block/writeback_cache_control, REQ_PREFLUSH).
        if flags & flag::FLUSH != 0 {
            self.operations.push(Operation::Flush);
        }
        if flags & flag::MARK != 0 {
            let text = self.bytes.get(range.clone()).unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            let text = text.trim_end_matches('\0').to_owned();
            self.operations.push(Operation::Mark(text));
        } else if flags & flag::DISCARD != 0 {
            self.operations.push(Operation::Discard { offset, length });
        } else if length > 0 {
            self.operations.push(Operation::Write {
                offset,
                data: range.clone(),
                durable: flags & flag::FUA != 0,
            });
        }
        let end = range.end.checked_next_multiple_of(self.sector);
        end.ok_or_else(cut)
    }

    /// What happened, in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Bytes of a sector: every write is whole sectors.
    pub fn sector(&self) -> usize {
        self.sector
    }

    /// Data of a write. Empty for a range that no write of this log has.
    pub fn data(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// Logs made by hand.
#[cfg(test)]
pub(super) mod made {
    use super::*;

    pub(in super::super) const SECTOR: usize = 512;

    /// A log of these entries: first sector, flags, data.
    pub(in super::super) fn log(entries: &[(u64, u64, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [MAGIC, VERSION, entries.len() as u64, SECTOR as u64] {
            bytes.extend(word.to_le_bytes());
        }
        for (sector, flags, data) in entries {
            bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
            let noted = if flags & flag::MARK == 0 {
                0
            } else {
                data.len()
            };
            let sectors = if noted == 0 { data.len() / SECTOR } else { 0 };
            for word in [*sector, sectors as u64, *flags, noted as u64] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
            bytes.extend(*data);
        }
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::made::{SECTOR, log};
    use super::*;

    #[test]
    fn writes_flushes_discards_and_marks_are_told_apart() {
        let data = [7; 2 * SECTOR];
        let mut bytes = log(&[
            (5, 0, &data),
            (0, flag::FLUSH, &[]),
            (9, flag::FUA | flag::METADATA, &[8; SECTOR]),
            (0, flag::MARK, b"done"),
            (40, flag::DISCARD, &[]),
            (1, flag::FLUSH | flag::FUA, &[9; SECTOR]),
        ]);
        // The discard's number of sectors, which has no data behind it.
        let discard = SECTOR * 9;
        bytes[discard + 8] = 16;
        let log = WriteLog::parse(bytes).unwrap();
        let write = |offset, start: usize, sectors: usize, durable| Operation::Write {
            offset,
            data: start * SECTOR..(start + sectors) * SECTOR,
            durable,
        };
        let expected = [
            write(5 * 512, 2, 2, false),
            Operation::Flush,
            write(9 * 512, 6, 1, true),
            Operation::Mark("done".to_owned()),
            Operation::Discard {
                offset: 40 * 512,
                length: 16 * 512,
            },
            Operation::Flush,
            write(512, 11, 1, true),
        ];
        assert_eq!(log.operations(), expected);
        assert_eq!(log.data(&(2 * SECTOR..4 * SECTOR)), data);
    }

    #[test]
    fn a_log_that_lies_about_the_number_of_its_entries_is_refused_where_it_ends() {
        let mut bytes = log(&[(5, 0, &[7; SECTOR])]);
        bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        let error = WriteLog::parse(bytes).unwrap_err();
        assert!(matches!(error, LogError::Cut { entry: 1, .. }), "{error}");
    }

    #[test]
    fn an_entry_that_says_more_than_the_file_holds_is_refused() {
        let mut bytes = log(&[(5, 0, &[7; SECTOR])]);
        bytes[SECTOR + 8..SECTOR + 16].copy_from_slice(&3_u64.to_le_bytes());
        assert!(matches!(
            WriteLog::parse(bytes.clone()),
            Err(LogError::Cut { entry: 0, .. })
        ));
        bytes[SECTOR + 8..SECTOR + 16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(
            WriteLog::parse(bytes),
            Err(LogError::Place { entry: 0, .. })
        ));
    }

    #[test]
    fn what_is_no_log_is_refused_with_what_is_wrong() {
        assert!(matches!(
            WriteLog::parse(vec![0; 512]),
            Err(LogError::Magic(0))
        ));
        let mut bytes = log(&[]);
        bytes[8] = 2;
        assert!(matches!(WriteLog::parse(bytes), Err(LogError::Version(2))));
        let mut bytes = log(&[]);
        bytes[24..28].copy_from_slice(&100_u32.to_le_bytes());
        assert!(matches!(
            WriteLog::parse(bytes),
            Err(LogError::SectorSize(100))
        ));
        assert!(WriteLog::parse(Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            entries in any::<u64>(),
            rest in proptest::collection::vec(any::<u8>(), 0..8192),
        ) {
            let mut bytes = log(&[]);
            bytes[16..24].copy_from_slice(&entries.to_le_bytes());
            bytes.extend(rest);
            let _ = WriteLog::parse(bytes);
        }

        #[test]
        fn no_entry_gives_a_range_outside_the_log(
            fields in proptest::collection::vec((0_u64..64, 0_u64..4, 0_u64..32, 0_u64..2048), 1..8),
        ) {
            let mut bytes = log(&[]);
            bytes[16..24].copy_from_slice(&(fields.len() as u64).to_le_bytes());
            for (sector, sectors, flags, noted) in fields {
                for word in [sector, sectors, flags, noted] {
                    bytes.extend(word.to_le_bytes());
                }
                bytes.resize(bytes.len().next_multiple_of(SECTOR) + SECTOR, 0);
            }
            let length = bytes.len();
            if let Ok(log) = WriteLog::parse(bytes) {
                for operation in log.operations() {
                    if let Operation::Write { data, .. } = operation {
                        prop_assert!(data.end <= length && !data.is_empty());
                    }
                }
            }
        }
    }
}
