use std::collections::BTreeMap;
use std::io::{BufRead, ErrorKind, Read};

/// Longer names are no path (PATH_MAX).
const NAME: u32 = 4096;
/// More entries than any initrd has.
const ENTRIES: usize = 400_000;
/// More than any initrd unpacks to; a bomb ends here.
const UNPACKED: u64 = 2 << 30;
/// More than those of one host unpack to together.
const UNPACKED_ALL: u64 = 8 << 30;

const HEADER: u32 = 110;
const TRAILER: &str = "TRAILER!!!";

/// What may still be unpacked of all initrds of one look, in bytes. Everything that is unpacked counts, zeros
/// between archives too, and each further copy of a file with several names.
#[derive(Debug)]
pub struct Unpacking(u64);

impl Default for Unpacking {
    fn default() -> Self {
        Self(UNPACKED_ALL)
    }
}

impl Unpacking {
    /// So many bytes.
    pub fn of(bytes: u64) -> Self {
        Self(bytes)
    }
}

/// What is read of one initrd, archive after archive.
pub(crate) struct Budget<'a> {
    pub(crate) entries: usize,
    pub(crate) unpacked: u64,
    all: &'a mut Unpacking,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(all: &'a mut Unpacking) -> Self {
        Self {
            entries: 0,
            unpacked: 0,
            all,
        }
    }

    /// For one more copy of what was unpacked already.
    fn spend_on_copy(&mut self, bytes: u64) -> Result<(), String> {
        self.all.0 = self
            .all
            .0
            .checked_sub(bytes)
            .ok_or("it and the initrds before it unpack to more than those of any host")?;
        Ok(())
    }

    pub(crate) fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.spend_on_copy(bytes)?;
        self.unpacked = self.unpacked.saturating_add(bytes);
        match self.unpacked > UNPACKED {
            true => Err(format!("it unpacks to more than {} GiB", UNPACKED >> 30)),
            false => Ok(()),
        }
    }
}

/// The head of one entry of an archive in the "new ASCII" format (Linux,
/// Documentation/driver-api/early-userspace/buffer-format.rst).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Without a leading `/` or `./`.
    pub name: String,
    /// As st_mode.
    pub mode: u32,
    /// Bytes of a file, or of a link's target.
    pub size: u32,
    /// In seconds since 1970.
    pub modified: u32,
}

impl Entry {
    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

/// What several names of one file have in common: inode and the numbers of its device.
type Inode = [u32; 3];

/// Names of files with several whose content has not come yet: it stands behind the last of them (cpio(5)). A name that
/// comes later still is taken for one of another file, or an empty one; the kernel takes the names in any order.
#[derive(Default)]
struct Waiting(BTreeMap<Inode, Vec<Entry>>);

/// Reads archives up to where no further one begins; zeros may stand between. Gives how many there were, or why the
/// last one could not be read; all entries before were visited, but for names whose content had not come yet.
pub(crate) fn read(
    input: &mut dyn BufRead,
    budget: &mut Budget,
    wanted: &dyn Fn(&Entry) -> bool,
    visit: &mut dyn FnMut(Entry, Vec<u8>),
) -> Result<usize, String> {
    let mut archives = 0;
    while next_begins(input, budget)? {
        archives += 1;
        // Linux forgets at the end of an archive which names were links (init/initramfs.c, `free_hash`).
        let mut waiting = Waiting::default();
        while let Some((entry, inode)) = header(input, budget)? {
            if entry.size == 0 && inode.is_some() {
                waiting
                    .0
                    .entry(inode.unwrap_or_default())
                    .or_default()
                    .push(entry);
                continue;
            }
            let links = inode.and_then(|inode| waiting.0.remove(&inode));
            let links = links.into_iter().flatten().map(|link| Entry {
                size: entry.size,
                ..link
            });
            let links: Vec<Entry> = links.collect();
            let size = u64::from(entry.size);
            let padding = u64::from(entry.size.wrapping_neg() & 3);
            let mut content = Vec::new();
            if wanted(&entry) || links.iter().any(wanted) {
                copy(input, size, &mut content, budget)?;
                skip(input, padding, budget)?;
            } else {
                skip(input, size + padding, budget)?;
            }
            for link in links {
                let bytes = if wanted(&link) {
                    budget.spend_on_copy(size)?;
                    content.clone()
                } else {
                    Vec::new()
                };
                visit(link, bytes);
            }
            visit(entry, content);
        }
        for empty in waiting.0.into_values().flatten() {
            visit(empty, Vec::new());
        }
    }
    Ok(archives)
}

/// Skips zeros, and says whether an archive begins behind them.
fn next_begins(input: &mut dyn BufRead, budget: &mut Budget) -> Result<bool, String> {
    loop {
        let buffer = input.fill_buf().map_err(|error| error.to_string())?;
        let Some(first) = buffer.iter().position(|byte| *byte != 0) else {
            let length = buffer.len();
            if length == 0 {
                return Ok(false);
            }
            input.consume(length);
            budget.spend(length as u64)?;
            continue;
        };
        let begins = buffer.get(first) == Some(&b'0');
        input.consume(first);
        return Ok(begins);
    }
}

/// The next entry's head, and where it is a file with several names, which one; none at the trailer.
fn header(
    input: &mut dyn BufRead,
    budget: &mut Budget,
) -> Result<Option<(Entry, Option<Inode>)>, String> {
    let mut head = [0; HEADER as usize];
    exact(input, &mut head)?;
    let field = |index: usize| {
        let at = 6 + index * 8;
        let digits = head
            .get(at..at + 8)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or("it holds an entry whose header is not hexadecimal")
    };
    if !head.starts_with(b"070701") && !head.starts_with(b"070702") {
        return Err("it holds something else where an entry should begin".to_owned());
    }
    budget.spend(u64::from(HEADER))?;
    let (mode, modified, size, name_size) = (field(1)?, field(5)?, field(6)?, field(11)?);
    let (names, inode) = (field(4)?, [field(0)?, field(7)?, field(8)?]);
    if name_size == 0 || name_size > NAME {
        return Err(format!("it holds a name of {name_size} bytes"));
    }
    let mut name = Vec::new();
    copy(input, u64::from(name_size), &mut name, budget)?;
    let unaligned = HEADER + name_size;
    skip(input, u64::from(unaligned.wrapping_neg() & 3), budget)?;
    name.truncate(
        name.iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len()),
    );
    let name = String::from_utf8_lossy(&name).into_owned();
    if name == TRAILER {
        return Ok(None);
    }
    budget.entries += 1;
    if budget.entries > ENTRIES {
        return Err(format!("it holds more than {ENTRIES} entries"));
    }
    let name = name.trim_start_matches("./").trim_start_matches('/');
    let entry = Entry {
        name: name.to_owned(),
        mode,
        size,
        modified,
    };
    let inode = (entry.is_file() && names > 1).then_some(inode);
    Ok(Some((entry, inode)))
}

fn exact(input: &mut dyn BufRead, bytes: &mut [u8]) -> Result<(), String> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => "it ends in the middle of an entry".to_owned(),
        _ => error.to_string(),
    })
}

fn copy(
    input: &mut dyn BufRead,
    length: u64,
    into: &mut Vec<u8>,
    budget: &mut Budget,
) -> Result<(), String> {
    budget.spend(length)?;
    let read = input.take(length).read_to_end(into);
    let read = read.map_err(|error| error.to_string())?;
    if (read as u64) < length {
        return Err("it ends in the middle of an entry".to_owned());
    }
    Ok(())
}

fn skip(input: &mut dyn BufRead, mut length: u64, budget: &mut Budget) -> Result<(), String> {
    while length > 0 {
        let available = input.fill_buf().map_err(|error| error.to_string())?.len();
        if available == 0 {
            return Err("it ends in the middle of an entry".to_owned());
        }
        let step = available.min(usize::try_from(length).unwrap_or(usize::MAX));
        input.consume(step);
        budget.spend(step as u64)?;
        length -= step as u64;
    }
    Ok(())
}
