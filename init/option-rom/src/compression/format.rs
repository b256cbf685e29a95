/// Bytes that a repetition can reach back (UEFI specification 2.10, 19.2.1).
pub(super) const WINDOW: usize = 1 << 13;
/// Bytes of the shortest and of the longest repetition.
pub(super) const SHORTEST: usize = 3;
pub(super) const LONGEST: usize = 256;

/// Symbols of the character and length set: 256 bytes, then the lengths from the shortest.
pub(super) const CHARACTERS: usize = 256 + LONGEST - SHORTEST + 1;
/// Symbols of the position set: how many bits a distance has, 0 to 13.
pub(super) const POSITIONS: usize = 14;
/// Symbols of the extra set, which packs the code lengths of the first: three for zeros, then a length
/// each, 1 to 16.
pub(super) const EXTRAS: usize = LONGEST_CODE + 3;
/// Bits of the longest code.
pub(super) const LONGEST_CODE: usize = 16;

/// Bits of the field that counts a block's symbols.
pub(super) const COUNT_BITS: usize = 16;
/// Bits of the fields that count the code lengths of each set.
pub(super) const CHARACTER_BITS: usize = 9;
pub(super) const POSITION_BITS: usize = 4;
pub(super) const EXTRA_BITS: usize = 5;

/// Behind so many lengths of the extra set stands how many zeros follow, in two bits.
pub(super) const EXTRA_ZEROS_AFTER: usize = 3;
/// Runs of zeros by their symbol in the extra set: from how many on, and the bits of the rest.
pub(super) const SHORT_RUN: (usize, usize) = (3, 4);
pub(super) const LONG_RUN: (usize, usize) = (20, CHARACTER_BITS);
/// What a code length is more than its symbol in the extra set.
pub(super) const LENGTH_SYMBOL: usize = 2;

/// A byte, or a repetition of what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Byte(u8),
    Copy {
        /// Bytes, from [`SHORTEST`] to [`LONGEST`].
        length: usize,
        /// Bytes between the place and where the same bytes start, less one.
        distance: usize,
    },
}

impl Symbol {
    /// Its place in the character and length set.
    pub(super) fn character(self) -> usize {
        match self {
            Self::Byte(byte) => byte.into(),
            Self::Copy { length, .. } => 256 + length.saturating_sub(SHORTEST),
        }
    }
}

/// The place of a distance in the position set: how many bits it has.
pub(super) fn position(distance: usize) -> usize {
    (usize::BITS - distance.leading_zeros()) as usize
}

/// How zeros in a row are written.
pub(super) enum Zeros {
    /// One by one.
    Single(usize),
    /// One, then a short run of so many.
    SingleAndShort(usize),
    Short(usize),
    Long(usize),
}

impl Zeros {
    pub(super) fn of(count: usize) -> Self {
        match count {
            0..=2 => Self::Single(count),
            3..=18 => Self::Short(count),
            19 => Self::SingleAndShort(18),
            _ => Self::Long(count),
        }
    }
}
