//! Images of disks and CDs that are packed, as people download them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use serde::Serialize;

use super::source::Source;
use crate::package::Compression;

/// How files begin that are packed in one of these ways.
const MAGICS: [(&[u8], Compression, &str); 3] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd, "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz, "xz"),
    (&[0x1f, 0x8b], Compression::Gzip, "gzip"),
];
/// By these an image is told from a packed initramfs: a GUID partition table, or the first descriptor of a CD.
const MARKS: [(usize, &[u8]); 2] = [(512, b"EFI PART"), (16 * 2048 + 1, b"CD001")];
const HEAD: usize = 17 * 2048;
/// Larger than any image for a stick; a bomb ends here.
const LARGEST: u64 = 16 << 30;

/// How an image is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Packed {
    /// `zstd`, `xz` or `gzip`.
    pub compression: &'static str,
    /// Bytes of what is shown.
    pub unpacked: u64,
}

/// The image of a disk or CD that is packed in this file, unpacked into one without a name; none where there is none
/// in it. An image that is cut off is refused: nothing could be said of its end.
pub(super) fn open(file: &mut File) -> io::Result<Option<(File, Packed)>> {
    let start = Source::of_file(file)?.read(0, 6).unwrap_or_default();
    let known = MAGICS
        .into_iter()
        .find(|(magic, _, _)| start.starts_with(magic));
    let Some((_, kind, compression)) = known else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(0))?;
    let mut plain = kind.reader(BufReader::new(&*file))?.take(LARGEST + 1);
    let mut head = Vec::new();
    // What is damaged here is told by who reads it as an initramfs.
    if plain
        .by_ref()
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .is_err()
    {
        return Ok(None);
    }
    let is_image =
        |(at, mark): &(usize, &[u8])| head.get(*at..).is_some_and(|rest| rest.starts_with(mark));
    if !MARKS.iter().any(is_image) {
        return Ok(None);
    }
    let mut whole = io::Cursor::new(head).chain(plain);
    let mut unpacked = tempfile::tempfile()?;
    let length = copy_sparse(&mut whole, &mut unpacked)?;
    if length > LARGEST {
        return Err(io::Error::other(format!(
            "it unpacks to more than {} GiB",
            LARGEST >> 30
        )));
    }
    unpacked.set_len(length)?;
    Ok(Some((
        unpacked,
        Packed {
            compression,
            unpacked: length,
        },
    )))
}

/// Most of an image is empty, and stays a hole.
fn copy_sparse(from: &mut impl Read, to: &mut File) -> io::Result<u64> {
    let mut block = vec![0; 1 << 16];
    let mut length = 0;
    loop {
        let read = from.read(&mut block)?;
        let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(length);
        };
        if bytes.iter().any(|byte| *byte != 0) {
            to.seek(SeekFrom::Start(length))?;
            to.write_all(bytes)?;
        }
        length += read as u64;
    }
}
