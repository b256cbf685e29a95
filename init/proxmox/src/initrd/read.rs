use std::io::BufRead;

use super::compression::Compression;
use super::cpio::{self, Budget, Entry, Unpacking};

/// More parts than any initrd has: microcode, the initrd, what was put behind it.
const PARTS: usize = 64;

/// Every entry of an initrd, in the order in which the kernel unpacks them, so that of two with one name the later
/// one holds. `wanted` says of which files the bytes are read. Gives how its parts are packed.
///
/// # Errors
/// Why it could not be read to its end; the entries before were visited.
pub fn visit(
    bytes: &[u8],
    left: &mut Unpacking,
    wanted: &dyn Fn(&Entry) -> bool,
    visit: &mut dyn FnMut(Entry, Vec<u8>),
) -> Result<Vec<Compression>, String> {
    let mut parts = Vec::new();
    archives(bytes, left, &mut parts, &mut 0, wanted, visit)?;
    Ok(parts)
}

/// As the kernel goes through it (Linux, init/initramfs.c, unpack_to_rootfs): archives, plain or packed, with zeros
/// between them. A packed part ends where its format says so, and another one may follow.
pub(super) fn archives(
    bytes: &[u8],
    left: &mut Unpacking,
    parts: &mut Vec<Compression>,
    entries: &mut usize,
    wanted: &dyn Fn(&Entry) -> bool,
    visit: &mut dyn FnMut(Entry, Vec<u8>),
) -> Result<(), String> {
    let mut rest = bytes;
    let mut budget = Budget::new(left);
    loop {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
        if rest.is_empty() {
            return match parts.is_empty() {
                true => Err("it is empty".to_owned()),
                false => Ok(()),
            };
        }
        let compression =
            Compression::of(rest).ok_or("a part of it begins like nothing that Linux unpacks")?;
        if parts.len() == PARTS {
            return Err(format!("it has more than {PARTS} parts"));
        }
        parts.push(compression);
        let before = budget.entries;
        let result = match compression {
            Compression::None => cpio::read(&mut rest, &mut budget, wanted, visit),
            packed => {
                let unpacked = packed.unpack(&mut rest).map_err(|error| error.to_string());
                unpacked.and_then(|mut input| {
                    cpio::read(&mut *input, &mut budget, wanted, visit)?;
                    drain(&mut *input, &mut budget)
                })
            }
        };
        *entries = budget.entries;
        if result.is_ok() && before == budget.entries {
            return Err("a part of it holds no archive".to_owned());
        }
        result?;
    }
}

/// To the end of a packed part: what stands behind its archives does not matter, but its check sums do.
fn drain(input: &mut dyn BufRead, budget: &mut Budget) -> Result<(), String> {
    loop {
        let length = input.fill_buf().map_err(|error| error.to_string())?.len();
        if length == 0 {
            return Ok(());
        }
        input.consume(length);
        budget.spend(length as u64)?;
    }
}
