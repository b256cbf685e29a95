use std::io::{BufRead, ErrorKind, Read};

/// Longer names are no path (PATH_MAX).
const NAME: u32 = 4096;
const ENTRIES: usize = 400_000;
/// More than any initramfs unpacks to; a bomb ends here.
const UNPACKED: u64 = 4 << 30;

const HEADER: usize = 110;
const TRAILER: &str = "TRAILER!!!";

/// The head of one entry of an archive in the "new ASCII" format (Linux,
/// Documentation/driver-api/early-userspace/buffer-format.rst).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Without a leading `/` or `./`.
    pub(super) name: String,
    /// As st_mode.
    pub(super) mode: u32,
    /// Bytes of a file, or of a link's target.
    pub(super) size: u32,
    /// In seconds since 1970.
    pub(super) modified: u32,
}

impl Entry {
    /// Whether it is a regular file.
    pub(super) fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

/// Who reads entries.
pub(super) trait Visitor {
    /// Whether the bytes of this one are wanted.
    fn wants(&self, entry: &Entry) -> bool;
    /// One more entry, with its bytes where they are wanted.
    fn visit(&mut self, entry: Entry, bytes: Vec<u8>);
}

/// What has been read, of all that may be.
#[derive(Debug, Default)]
pub(super) struct Spent {
    pub(super) entries: usize,
    pub(super) bytes: u64,
}

impl Spent {
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.bytes > UNPACKED {
            true => Err(format!("it unpacks to more than {} GiB", UNPACKED >> 30)),
            false => Ok(()),
        }
    }
}

/// Reads archives up to where no further one begins; zeros may stand between.
///
/// # Errors
/// Why it ends before; all entries before were visited.
pub(super) fn read(
    input: &mut dyn BufRead,
    spent: &mut Spent,
    visitor: &mut dyn Visitor,
) -> Result<(), String> {
    while next_begins(input, spent)? {
        while let Some(entry) = header(input, spent)? {
            let size = u64::from(entry.size);
            let padding = u64::from(entry.size.wrapping_neg() & 3);
            let mut content = Vec::new();
            if visitor.wants(&entry) {
                copy(input, size, &mut content, spent)?;
                skip(input, padding, spent)?;
            } else {
                skip(input, size + padding, spent)?;
            }
            visitor.visit(entry, content);
        }
    }
    Ok(())
}

/// Skips zeros, and says whether an archive begins behind them.
fn next_begins(input: &mut dyn BufRead, spent: &mut Spent) -> Result<bool, String> {
    loop {
        let buffer = input.fill_buf().map_err(|error| error.to_string())?;
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        let next = buffer.get(zeros).copied();
        let was_empty = buffer.is_empty();
        input.consume(zeros);
        spent.spend(zeros as u64)?;
        match next {
            None if was_empty => return Ok(false),
            None => {}
            Some(byte) => return Ok(byte == b'0'),
        }
    }
}

/// The next entry's head; none at the trailer.
fn header(input: &mut dyn BufRead, spent: &mut Spent) -> Result<Option<Entry>, String> {
    let mut head = [0; HEADER];
    input
        .read_exact(&mut head)
        .map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => "it ends in the middle of an entry".to_owned(),
            _ => error.to_string(),
        })?;
    spent.spend(HEADER as u64)?;
    if !head.starts_with(b"070701") && !head.starts_with(b"070702") {
        return Err("it holds something else where an entry should begin".to_owned());
    }
    let field = |index: usize| {
        let digits = head.get(6 + index * 8..)?.get(..8)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let fields = (field(1), field(5), field(6), field(11));
    let (Some(mode), Some(modified), Some(size), Some(name_size)) = fields else {
        return Err("it holds an entry whose header is not hexadecimal".to_owned());
    };
    if name_size == 0 || name_size > NAME {
        return Err(format!("it holds a name of {name_size} bytes"));
    }
    spent.entries += 1;
    if spent.entries > ENTRIES {
        return Err(format!("it holds more than {ENTRIES} entries"));
    }
    let mut name = Vec::new();
    copy(input, u64::from(name_size), &mut name, spent)?;
    // 110 and the name together are padded to four bytes.
    skip(input, u64::from((name_size + 2).wrapping_neg() & 3), spent)?;
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(name.len()));
    let name = String::from_utf8_lossy(&name).into_owned();
    if name == TRAILER {
        spent.entries -= 1;
        return Ok(None);
    }
    let name = name.trim_start_matches("./").trim_start_matches('/');
    Ok(Some(Entry {
        name: name.to_owned(),
        mode,
        size,
        modified,
    }))
}

fn copy(
    input: &mut dyn BufRead,
    length: u64,
    into: &mut Vec<u8>,
    spent: &mut Spent,
) -> Result<(), String> {
    spent.spend(length)?;
    let read = input.take(length).read_to_end(into);
    let read = read.map_err(|error| error.to_string())?;
    if (read as u64) < length {
        return Err("it ends in the middle of an entry".to_owned());
    }
    Ok(())
}

fn skip(input: &mut dyn BufRead, mut length: u64, spent: &mut Spent) -> Result<(), String> {
    while length > 0 {
        let available = input.fill_buf().map_err(|error| error.to_string())?.len();
        if available == 0 {
            return Err("it ends in the middle of an entry".to_owned());
        }
        let step = available.min(usize::try_from(length).unwrap_or(usize::MAX));
        input.consume(step);
        spent.spend(step as u64)?;
        length -= step as u64;
    }
    Ok(())
}
