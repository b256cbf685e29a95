use std::io;
use std::path::PathBuf;

/// A card that no hardware could be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not one to eight functions.
    #[error("a card has one to eight functions, and this one has {0}")]
    Functions(usize),
    /// A BAR's size cannot be expressed.
    #[error("BAR {index} of function {function} cannot have {size} bytes; take a power of two")]
    BarSize {
        /// Function number.
        function: u8,
        /// BAR number.
        index: u8,
        /// Size asked for.
        size: u64,
    },
    /// BAR numbers are 0 to 5, and a 64-bit BAR takes two.
    #[error("BAR {index} of function {function} has no register of its own; leave a gap")]
    BarIndex {
        /// Function number.
        function: u8,
        /// BAR number.
        index: u8,
    },
    /// A ROM BAR's size cannot be expressed.
    #[error("function {function} cannot have a ROM BAR of {size} bytes (2 KiB to 16 MiB)")]
    RomSize {
        /// Function number.
        function: u8,
        /// Size asked for.
        size: u64,
    },
    /// Two things want the same configuration register.
    #[error("function {function} has two registers at offset {offset:#x} of configuration space")]
    Overlap {
        /// Function number.
        function: u8,
        /// Offset in bytes.
        offset: usize,
    },
    /// The capabilities do not fit.
    #[error("the capabilities of function {function} need more room than configuration space has")]
    Full {
        /// Function number.
        function: u8,
    },
}

/// Why a card cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The profile makes no sense.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A file or socket cannot be made.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket cannot be served.
    #[error("{path}: {source}; socket paths have at most 107 bytes, and each card needs a folder")]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        source: vfio_user::Error,
    },
    /// Memory for a BAR that the guest maps.
    #[error("memory for BAR {index}: {source}")]
    Memory {
        /// BAR number.
        index: u8,
        /// Why.
        source: io::Error,
    },
}
