/// Why bytes are not a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Too short for the fields that every such table has.
    #[error("{length} bytes are too short for a {signature} table")]
    Short {
        /// The table that was wanted.
        signature: &'static str,
        /// Bytes there are.
        length: usize,
    },
    /// Another table.
    #[error("signature '{found}' where '{wanted}' belongs")]
    Signature {
        /// The table that was wanted.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
}

/// What is wrong with a table that could be read all the same. Offsets are bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableProblem {
    /// Its bytes do not sum to zero.
    #[error("the checksum is wrong")]
    Checksum,
    /// Bytes are missing at its end.
    #[error("the table says it is {says} bytes long and only {there} are there")]
    Truncated {
        /// The table's own length.
        says: u32,
        /// Bytes there are.
        there: usize,
    },
    /// It is shorter than its own fixed fields.
    #[error("the table says it is {says} bytes long, which is less than its fixed fields take")]
    ShortLength {
        /// The table's own length.
        says: u32,
    },
    /// Longer than any honest one; what lies behind was not read.
    #[error("the table is {length} bytes long: only the first {read} were read")]
    TooLong {
        /// Bytes there are.
        length: usize,
        /// Bytes that were read.
        read: usize,
    },
    /// A structure's length leads nowhere, or out of what contains it. What follows was not read.
    #[error("the structure of type {kind:#x} at offset {offset} has length {length}")]
    Length {
        /// The structure's type.
        kind: u16,
        /// Its offset.
        offset: usize,
        /// The length that it names.
        length: usize,
    },
    /// Too few bytes at the end for a structure's type and length.
    #[error("{count} stray bytes at offset {offset}")]
    Stray {
        /// How many.
        count: usize,
        /// Where.
        offset: usize,
    },
    /// A structure is shorter than its own fields.
    #[error("the {what} at offset {offset} is cut short")]
    Cut {
        /// What it is.
        what: &'static str,
        /// Where.
        offset: usize,
    },
    /// Bytes of a structure that none of its fields takes.
    #[error("{count} bytes at offset {offset} belong to no field of the {what}")]
    Unexplained {
        /// What contains them.
        what: &'static str,
        /// How many.
        count: usize,
        /// Where.
        offset: usize,
    },
    /// A text that must end in NUL and does not.
    #[error("the {what} at offset {offset} does not end in NUL")]
    Unterminated {
        /// What it is.
        what: &'static str,
        /// Where.
        offset: usize,
    },
    /// The end of a range of devices without its start, or a start without its end.
    #[error("the device range at offset {offset} lacks its start or its end")]
    HalfRange {
        /// Offset of the entry that is alone.
        offset: usize,
    },
}

impl TableProblem {
    /// Whether the table is damaged, rather than newer than this version knows.
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Unexplained { .. } | Self::TooLong { .. })
    }
}
