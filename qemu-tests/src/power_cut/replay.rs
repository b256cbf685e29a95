use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::choice::Bounds;
use super::log::{Operation, WriteLog};
use super::recording::{Recording, Window, at};
use super::states::{CrashState, States};

/// One write to one disk.
#[derive(Clone, Debug)]
pub(super) struct Write {
    /// Number of the disk.
    pub disk: usize,
    /// First sector in the common image.
    pub first: u64,
    /// Where its bytes are in the log.
    pub data: Range<usize>,
    /// What each of its sectors adds to the fingerprint of an image, over what was there at first.
    pub prints: Vec<u128>,
    /// Durable by itself.
    pub durable: bool,
}

impl Write {
    /// Sectors in the common image.
    pub(super) fn sectors(&self) -> Range<u64> {
        self.first..self.first + self.prints.len() as u64
    }
}

/// What happened, as far as a crash can tell.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Write(usize),
    Flush,
    Mark,
}

/// The writes of a recording, ready to be cut anywhere.
#[derive(Debug)]
pub struct Replay {
    pub(super) log: WriteLog,
    pub(super) disks: Vec<Window>,
    pub(super) writes: Vec<Write>,
    pub(super) steps: Vec<Step>,
    pub(super) marks: Vec<String>,
}

impl Replay {
    /// The writes that were recorded. Call it when QEMU has ended.
    pub fn of(recording: &Recording) -> io::Result<Self> {
        let log = recording.log().map_err(io::Error::other)?;
        Self::new(log, recording.disks(), recording.marks())
    }

    /// The writes of `log` to `disks`, with those to `marks` as marks.
    pub fn new(log: WriteLog, disks: &[Window], marks: Option<&Window>) -> io::Result<Self> {
        let bases: Vec<File> = disks
            .iter()
            .map(|disk| File::open(&disk.image).map_err(|error| at(&disk.image, &error)))
            .collect::<Result<_, _>>()?;
        let mut replay = Self {
            disks: disks.to_owned(),
            writes: Vec::new(),
            steps: Vec::new(),
            marks: Vec::new(),
            log,
        };
        for operation in replay.log.operations() {
            let step = match operation {
                Operation::Discard { .. } => continue,
                Operation::Flush => Step::Flush,
                Operation::Mark(text) => {
                    replay.marks.push(text.clone());
                    Step::Mark
                }
                Operation::Write {
                    offset,
                    data,
                    durable,
                } => {
                    let length = data.len() as u64;
                    if marks.is_some_and(|window| holds(window, *offset, length)) {
                        replay.marks.push(text(replay.log.data(data)));
                        Step::Mark
                    } else {
                        let disk = disks
                            .iter()
                            .position(|disk| holds(disk, *offset, length))
                            .ok_or_else(|| {
                                io::Error::other(format!(
                                    "{length} bytes were written at {offset}, where no disk is"
                                ))
                            })?;
                        let sector = replay.log.sector();
                        let (window, base) = (&disks[disk], &bases[disk]);
                        let write = Write {
                            disk,
                            first: offset / sector as u64,
                            data: data.clone(),
                            prints: prints(replay.log.data(data), sector, *offset, window, base)?,
                            durable: *durable,
                        };
                        replay.writes.push(write);
                        Step::Write(replay.writes.len() - 1)
                    }
                }
            };
            replay.steps.push(step);
        }
        Ok(replay)
    }

    /// Every state that the disks can be in when the power goes, within these bounds; each once for every
    /// number of marks that can have come before. In the order of the recording.
    pub fn states(&self, bounds: Bounds) -> States<'_> {
        States::new(self, bounds)
    }

    /// The state without a power cut: every write is there.
    pub fn complete(&self) -> CrashState<'_> {
        States::new(self, Bounds::default()).complete()
    }

    /// Number of the disk of each write, in order.
    pub fn order(&self) -> impl Iterator<Item = usize> {
        self.writes.iter().map(|write| write.disk)
    }

    /// Number of writes that a flush followed, and of those that none did.
    pub fn flushed(&self) -> (usize, usize) {
        let last = self
            .steps
            .iter()
            .rposition(|step| matches!(step, Step::Flush));
        let (before, after) = self.steps.split_at(last.unwrap_or(0));
        let count = |steps: &[Step]| {
            let writes = steps.iter().filter(|step| matches!(step, Step::Write(_)));
            writes.count()
        };
        (count(before), count(after))
    }
}

fn holds(window: &Window, offset: u64, length: u64) -> bool {
    offset
        .checked_sub(window.offset)
        .and_then(|inside| inside.checked_add(length))
        .is_some_and(|end| end <= window.length)
}

/// A mark's text: what its first sector begins with.
fn text(data: &[u8]) -> String {
    let end = data.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&data[..end.unwrap_or(data.len())]).into_owned()
}

fn prints(
    data: &[u8],
    sector: usize,
    offset: u64,
    window: &Window,
    base: &File,
) -> io::Result<Vec<u128>> {
    let mut before = vec![0; data.len()];
    base.read_exact_at(&mut before, offset - window.offset)
        .map_err(|error| at(&window.image, &error))?;
    let pairs = data.chunks(sector).zip(before.chunks(sector));
    let first = offset / sector as u64;
    Ok((first..)
        .zip(pairs)
        .map(|(number, (new, old))| print(number, new).wrapping_sub(print(number, old)))
        .collect())
}

/// What a sector with this content adds to the fingerprint of an image, which is a sum: so that it can be
/// kept up to date sector by sector.
fn print(number: u64, content: &[u8]) -> u128 {
    let mut hasher = Sha256::new();
    hasher.update(number.to_le_bytes());
    hasher.update(content);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize()[..16]);
    u128::from_le_bytes(bytes)
}
