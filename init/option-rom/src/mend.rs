use std::fmt;

use serde::Serialize;

use crate::fields::{put, sum};
use crate::{Checksum, Image, Rom, Trailing};

/// What to mend beside what stands around the images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MendOptions {
    /// Also make the bytes of each x86 image sum to zero.
    pub checksum: bool,
}

/// One change, with offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// What stood before the first image is gone.
    LeadingStripped {
        /// Bytes.
        length: usize,
    },
    /// Padding behind the last image is gone.
    PaddingCut {
        /// Bytes.
        length: usize,
        /// Where it began in the original file.
        at: usize,
    },
    /// A byte was set so that an x86 image sums to zero.
    ChecksumSet {
        /// Where the image starts in the mended file.
        image: usize,
        /// Where the byte is in the mended file.
        at: usize,
        /// What it was.
        from: u8,
        /// What it is.
        to: u8,
    },
}

/// A mended ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Every change, in the order made; none when nothing was to be done.
    pub changes: Vec<Change>,
    /// What the mended bytes say.
    pub rom: Rom,
}

/// Why a ROM cannot be mended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MendError {
    /// No image was found.
    #[error("no image is in it, so there is nothing to mend; read the ROM again")]
    NoImage,
    /// No byte of an x86 image is known to be free for its sum.
    #[error(
        "the x86 image at {image:#x} has no byte that is known to be free for a checksum: it ends \
         without padding, and code may reach over byte 6; read the ROM again"
    )]
    NoFreeByte {
        /// Where the image starts in the file.
        image: usize,
    },
}

/// Strips what stands before the first image and cuts padding behind the last one; on demand corrects
/// the sums of x86 images. Everything else stays as it is, also data that no image claims.
pub fn mend(bytes: &[u8], options: MendOptions) -> Result<Mended, MendError> {
    let rom = Rom::parse(bytes);
    if rom.images.is_empty() {
        return Err(MendError::NoImage);
    }
    let mut changes = Vec::new();
    let mut end = bytes.len();
    if rom.leading > 0 {
        let length = rom.leading;
        changes.push(Change::LeadingStripped { length });
    }
    if let Trailing::Padding(length) = rom.trailing {
        end -= length;
        changes.push(Change::PaddingCut { length, at: end });
    }
    let mut mended = bytes.get(rom.leading..end).unwrap_or_default().to_vec();
    if options.checksum {
        for image in Rom::parse(&mended).images {
            if image.checksum == Checksum::Bad {
                changes.push(set_checksum(&mut mended, &image)?);
            }
        }
    }
    Ok(Mended {
        rom: Rom::parse(&mended),
        bytes: mended,
        changes,
    })
}

/// Sums what a legacy BIOS sums, the bytes of the size byte, where that is within the image.
fn set_checksum(rom: &mut [u8], image: &Image) -> Result<Change, MendError> {
    let own = image.bytes(rom);
    let summed = match image.header_length {
        length if (1..=own.len()).contains(&length) => own.get(..length).unwrap_or_default(),
        _ => own,
    };
    let free = free_byte(summed).ok_or(MendError::NoFreeByte {
        image: image.offset,
    })?;
    let at = image.offset + free;
    let from = summed.get(free).copied().unwrap_or(0);
    let to = from.wrapping_sub(sum(summed));
    put(rom, at, &[to]);
    Ok(Change::ChecksumSet {
        image: image.offset,
        at,
        from,
        to,
    })
}

/// Padding at the end of an image, as linkers leave it, is so many equal bytes at least.
const PADDING: usize = 16;
/// A jump or call with its displacement, or a far return, stands at 3 and ends before byte 6 (PCI
/// Firmware specification 3.3, 5.1.1.1); the bytes from 6 on are the vendor's to use.
const SHORT_ENTRIES: [u8; 4] = [0xeb, 0xe9, 0xe8, 0xcb];
const ENTRY: usize = 3;
const BEHIND_ENTRY: usize = 6;

/// A byte that no code or table is: the last of the padding, or byte 6 when the entry's instruction
/// ends before it.
fn free_byte(own: &[u8]) -> Option<usize> {
    let last = own.len().checked_sub(1)?;
    let tail = own.get(own.len().checked_sub(PADDING)?..)?;
    let is_padding = |fill: u8| tail.iter().rev().skip(1).all(|byte| *byte == fill);
    if is_padding(0x00) || is_padding(0xff) {
        return Some(last);
    }
    let entry = own.get(ENTRY)?;
    SHORT_ENTRIES.contains(entry).then_some(BEHIND_ENTRY)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeadingStripped { length } => {
                write!(f, "stripped {length} bytes before the first image")
            }
            Self::PaddingCut { length, at } => {
                write!(
                    f,
                    "cut {length} bytes of padding behind the last image, at {at:#x}"
                )
            }
            Self::ChecksumSet {
                image,
                at,
                from,
                to,
            } => write!(
                f,
                "set the byte at {at:#x} from {from:#04x} to {to:#04x}, so that the x86 image at \
                 {image:#x} sums to zero"
            ),
        }
    }
}
