use std::io::BufRead;

use serde::Serialize;

use super::compression::Compression;
use super::newc::{self, Spent, Visitor};

/// More than any initramfs has: microcode, the initramfs, what was put behind it.
const SEGMENTS: usize = 64;

/// A piece of an initramfs that is packed in one way; archives without packing that follow each other are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: usize,
    /// How it is packed.
    pub compression: Compression,
    /// Bytes in the file.
    pub packed: usize,
    /// Bytes of its archives.
    pub unpacked: u64,
    /// Files, folders, links and devices.
    pub entries: usize,
}

/// Goes through an initramfs as the kernel does (Linux, init/initramfs.c, unpack_to_rootfs): archives, plain or
/// packed, with zeros between them. A packed segment ends where its format says so.
///
/// # Errors
/// Why it could not be read to its end; what stands before was visited, and the segment is in `segments`.
pub(super) fn walk(
    bytes: &[u8],
    segments: &mut Vec<Segment>,
    visitor: &mut dyn Visitor,
) -> Result<(), String> {
    let mut rest = bytes;
    let mut spent = Spent::default();
    loop {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let offset = bytes.len() - rest.len();
        let compression = Compression::of(rest)
            .ok_or_else(|| format!("at byte {offset} begins nothing that Linux unpacks"))?;
        if segments.len() == SEGMENTS {
            return Err(format!("it has more than {SEGMENTS} segments"));
        }
        let (entries, unpacked) = (spent.entries, spent.bytes);
        let result = segment(compression, &mut rest, &mut spent, visitor);
        segments.push(Segment {
            offset,
            compression,
            packed: bytes.len() - rest.len() - offset,
            unpacked: spent.bytes - unpacked,
            entries: spent.entries - entries,
        });
        result.map_err(|why| format!("in the segment at byte {offset}: {why}"))?;
    }
}

fn segment(
    compression: Compression,
    rest: &mut &[u8],
    spent: &mut Spent,
    visitor: &mut dyn Visitor,
) -> Result<(), String> {
    if compression == Compression::None {
        return newc::read(rest, spent, visitor);
    }
    let mut input = compression
        .unpack(rest)
        .map_err(|error| error.to_string())?;
    newc::read(&mut *input, spent, visitor)?;
    drain(&mut *input, spent)
}

/// To the end of a packed segment: what stands behind its archives does not matter, but its check sums do.
fn drain(input: &mut dyn BufRead, spent: &mut Spent) -> Result<(), String> {
    loop {
        let length = input.fill_buf().map_err(|error| error.to_string())?.len();
        if length == 0 {
            return Ok(());
        }
        input.consume(length);
        spent.spend(length as u64)?;
    }
}
