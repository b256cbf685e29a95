use std::io;
use std::path::PathBuf;

use super::log::{LARGEST, MAGIC, VERSION};

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
