use std::io::BufRead;

use serde::Serialize;

use crate::compression::Compression;
use crate::newc::{self, Budget, Entry, Unpacking};

/// More than any initramfs has: microcode, the initramfs, what was put behind it.
const SEGMENTS: usize = 64;

/// A piece of an initramfs that is packed in one way; archives without packing that follow each other are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: usize,
    /// How it is packed.
    pub compression: Compression,
    /// Bytes in the file.
    pub packed: usize,
    /// Bytes that were unpacked of it.
    pub unpacked: u64,
    /// Files, folders, links and devices.
    pub entries: usize,
}

/// How far a walk came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// The segments, the one with the fault among them.
    pub segments: Vec<Segment>,
    /// Why it did not come to the end; none where it did.
    pub broken: Option<String>,
}

impl Walked {
    /// The segments of one that came to the end, or why it did not.
    pub fn whole(self) -> Result<Vec<Segment>, String> {
        match self.broken {
            Some(why) => Err(why),
            None => Ok(self.segments),
        }
    }
}

/// Goes through an initramfs as the kernel does (Linux, init/initramfs.c, unpack_to_rootfs): archives, plain or packed,
/// with zeros between them. A packed segment ends where its format says so, and another one may follow. Every entry is
/// visited, in the order in which the kernel unpacks them, so that of two with one name the later one holds; `wanted`
/// says of which ones the bytes are read. What stands before a fault was visited.
///
/// Of a file with several names the last one has to carry the content, as programs write it. Linux links also a name
/// without content that comes behind that one; here it is visited as an empty file.
pub fn walk(
    bytes: &[u8],
    left: &mut Unpacking,
    wanted: &dyn Fn(&Entry) -> bool,
    visit: &mut dyn FnMut(Entry, Vec<u8>),
) -> Walked {
    let mut walked = Walked::default();
    walked.broken = segments(bytes, left, &mut walked.segments, wanted, visit).err();
    walked
}

fn segments(
    bytes: &[u8],
    left: &mut Unpacking,
    found: &mut Vec<Segment>,
    wanted: &dyn Fn(&Entry) -> bool,
    visit: &mut dyn FnMut(Entry, Vec<u8>),
) -> Result<(), String> {
    let mut rest = bytes;
    let mut budget = Budget::new(left);
    loop {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
        if rest.is_empty() {
            return match found.is_empty() {
                true => Err("it is empty".to_owned()),
                false => Ok(()),
            };
        }
        let offset = bytes.len() - rest.len();
        let compression = Compression::of(rest)
            .ok_or_else(|| format!("at byte {offset} begins nothing that Linux unpacks"))?;
        if found.len() == SEGMENTS {
            return Err(format!("it has more than {SEGMENTS} segments"));
        }
        let (entries, unpacked) = (budget.entries, budget.unpacked);
        let archives = segment(compression, &mut rest, &mut budget, wanted, visit);
        found.push(Segment {
            offset,
            compression,
            packed: bytes.len() - rest.len() - offset,
            unpacked: budget.unpacked - unpacked,
            entries: budget.entries - entries,
        });
        if archives? == 0 {
            return Err(format!("what is packed at byte {offset} holds no archive"));
        }
    }
}

/// The number of archives in it.
fn segment(
    compression: Compression,
    rest: &mut &[u8],
    budget: &mut Budget,
    wanted: &dyn Fn(&Entry) -> bool,
    visit: &mut dyn FnMut(Entry, Vec<u8>),
) -> Result<usize, String> {
    if compression == Compression::None {
        return newc::read(rest, budget, wanted, visit);
    }
    let mut input = compression
        .unpack(rest)
        .map_err(|error| error.to_string())?;
    let archives = newc::read(&mut *input, budget, wanted, visit)?;
    drain(&mut *input, budget)?;
    Ok(archives)
}

/// To the end of a packed segment: what stands behind its archives does not matter, but its check sums do.
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
