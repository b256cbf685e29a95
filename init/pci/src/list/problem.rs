use serde::{Deserialize, Serialize};

/// One of the two lists of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum List {
    /// In the first 256 bytes, from the capabilities pointer on (7.5.1.1.11).
    Conventional,
    /// From offset 0x100 on (7.6.1).
    Extended,
}

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Conventional => "capability list",
            Self::Extended => "extended capability list",
        })
    }
}

/// What is wrong with a list of capabilities. Offsets are in bytes from the start of configuration space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum Problem {
    /// A pointer leads back to an entry that was there before.
    #[error("the {list} loops: the entry at {from:#05x} leads back to {to:#05x}")]
    Loop {
        /// Which list.
        list: List,
        /// The entry with the pointer.
        from: u16,
        /// Where it leads.
        to: u16,
    },
    /// A pointer leads into the header (or, in extended space, into the first 256 bytes).
    #[error("the {list} leads out of its space: the pointer at {from:#05x} says {to:#05x}")]
    IntoHeader {
        /// Which list.
        list: List,
        /// The entry with the pointer; for the first, the register that points to the list.
        from: u16,
        /// Where it leads.
        to: u16,
    },
    /// An entry lies past what was read.
    #[error("the {list} goes on at {at:#05x}, which was not read")]
    CutShort {
        /// Which list.
        list: List,
        /// The entry.
        at: u16,
    },
    /// An entry reads as all ones: nothing answers there.
    #[error("the {list} ends in all ones at {at:#05x}")]
    AllOnes {
        /// Which list.
        list: List,
        /// The entry.
        at: u16,
    },
    /// A capability's registers go past the end of its space, or past what was read.
    #[error("the capability at {at:#05x} takes {length} bytes, which are not all there")]
    Incomplete {
        /// The capability.
        at: u16,
        /// Bytes that it takes.
        length: u16,
    },
    /// Two capabilities claim the same bytes.
    #[error(
        "the capability at {first:#05x} takes {length} bytes and overlaps the one at {second:#05x}"
    )]
    Overlap {
        /// The one that starts first.
        first: u16,
        /// Bytes that the first takes.
        length: u16,
        /// The one that starts within it.
        second: u16,
    },
}

impl Problem {
    /// Whether there can be more entries than were found, because what was read is not all there is. A
    /// list that loops or leads astray is seen in full: the kernel sees no more of it.
    pub const fn hides_entries(self) -> bool {
        matches!(self, Self::CutShort { .. } | Self::AllOnes { .. })
    }
}
