use std::collections::BTreeSet;
use std::io::{self, Write};

use archives::Compression;
use cpio::newc::{Builder, trailer};
use hardware::kernel_version;

use super::contents::Contents;
use super::{InitrdError, InitrdFile};

/// The last file of what was put behind an initrd: by it, it is found again.
const MARKER: &str = "preflight-segment";
const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
/// Kernels from here on know that zeros end what is packed with LZ4 (Linux, lib/decompress_unlz4.c).
const LZ4_ENDS: (u32, u32) = (5, 11);
/// Enough of them for that, whatever stands before.
const ZEROS: usize = 8;

/// The initrd as it was before anything was put behind it.
pub fn without_segment(initrd: &[u8]) -> &[u8] {
    let length = end(0).map_or(0, |end| end.len());
    let at = initrd.len().checked_sub(length);
    let Some((before, tail)) = at.and_then(|at| initrd.split_at_checked(at)) else {
        return initrd;
    };
    let is_whole = |base: &usize| end(*base).is_ok_and(|end| end == tail);
    let base = base(tail).filter(is_whole);
    match base.and_then(|base| before.split_at_checked(base)) {
        Some((kept, put)) if begins_archive(put) => kept,
        _ => initrd,
    }
}

/// Whether an archive stands there behind no more zeros than are put before one.
fn begins_archive(bytes: &[u8]) -> bool {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let archive = bytes.get(zeros..).unwrap_or_default();
    zeros < ZEROS + 4 && archive.starts_with(b"070701")
}

/// The length that a marker tells.
fn base(tail: &[u8]) -> Option<usize> {
    let at = tail.windows(7).position(|window| window == b"behind ")? + 7;
    let digits = tail.get(at..at + 20)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn text(base: usize) -> String {
    format!("Written by Preflight, behind {base:020} bytes\n")
}

/// The marker and the trailer.
fn end(base: usize) -> io::Result<Vec<u8>> {
    trailer(entry(
        Vec::new(),
        MARKER,
        FILE | 0o644,
        text(base).as_bytes(),
    )?)
}

/// The initrd with one more archive. Without files, the initrd alone.
pub(super) fn append(
    initrd: &[u8],
    contents: &Contents,
    version: &str,
    files: &[InitrdFile],
) -> Result<Vec<u8>, InitrdError> {
    if files.is_empty() {
        return Ok(initrd.to_vec());
    }
    let packed = || InitrdError::Packed {
        compression: contents.last,
        version: version.to_owned(),
    };
    let zeros = match contents.last {
        Compression::None | Compression::Gzip | Compression::Zstd | Compression::Xz => 0,
        Compression::Lz4 if kernel_version(version) >= Some(LZ4_ENDS) => ZEROS,
        _ => return Err(packed()),
    };
    let broken = |error: io::Error| InitrdError::Broken(error.to_string());
    let mut bytes = initrd.to_vec();
    // The kernel takes an archive only at a multiple of four.
    bytes.resize((bytes.len() + zeros).next_multiple_of(4), 0);
    let mut folders = BTreeSet::new();
    for file in files {
        for folder in above(&file.path) {
            // A folder that is there may be a link, and an entry of its name would take the link's place.
            if !contents.names.contains(folder) && folders.insert(folder.to_owned()) {
                bytes = entry(bytes, folder, FOLDER, b"").map_err(broken)?;
            }
        }
        bytes = entry(bytes, &file.path, FILE | file.mode, &file.bytes).map_err(broken)?;
    }
    bytes.extend(end(initrd.len()).map_err(broken)?);
    Ok(bytes)
}

/// The folders that a path lies in, the outermost first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

/// One entry in the new ASCII format; what is appended to is aligned before and after it.
fn entry(bytes: Vec<u8>, name: &str, mode: u32, content: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(content.len()).map_err(io::Error::other)?;
    let mut writer = Builder::new(name).mode(mode).write(bytes, length);
    writer.write_all(content)?;
    writer.finish()
}
