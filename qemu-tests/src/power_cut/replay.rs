use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::choice::Bounds;
use super::flushes::{Covered, Event, assigned};
use super::log::{Operation, WriteLog};
use super::recording::{Recording, Window, at};
use super::states::{CrashState, States};

/// One write to one disk.
#[derive(Clone, Debug)]
pub(super) struct Write {
    /// Number of the disk.
    pub disk: usize,
    /// Number among the writes to that disk.
    pub on_disk: usize,
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
    /// What it covers: everything, or a part.
    Flush(Option<Covered>),
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
        let flushes = recording.flushes().map_err(io::Error::other)?;
        let mut replay = Self::new(log, recording.disks(), recording.marks())?;
        if let Some(own) = flushes {
            replay.assign(&own);
        }
        Ok(replay)
    }

    /// Lets each flush cover only what the disks' own logs say.
    fn assign(&mut self, own: &[Vec<usize>]) {
        let events = self.steps.iter().map(|step| match step {
            Step::Write(write) => Event::Write(self.writes[*write].disk),
            // The disk for marks comes last.
            Step::Mark => Event::Write(own.len() - 1),
            Step::Flush(_) => Event::Flush,
        });
        let assigned = assigned(&events.collect::<Vec<_>>(), own);
        let flushes = self.steps.iter_mut().filter_map(|step| match step {
            Step::Flush(covered) => Some(covered),
            _ => None,
        });
        for (flush, covered) in flushes.zip(assigned) {
            *flush = Some(covered.unwrap_or(Covered { disk: 0, writes: 0 }));
        }
    }

    /// The writes of `log` to `disks`, with those to `marks` as marks. Every flush is one of all disks.
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
        let mut counts = vec![0; disks.len()];
        for operation in replay.log.operations() {
            let step = match operation {
                Operation::Discard { .. } => continue,
                Operation::Flush => Step::Flush(None),
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
                            on_disk: counts[disk],
                            first: offset / sector as u64,
                            data: data.clone(),
                            prints: prints(replay.log.data(data), sector, *offset, window, base)?,
                            durable: *durable,
                        };
                        counts[disk] += 1;
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
            .rposition(|step| matches!(step, Step::Flush(_)));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::power_cut::Canvas;
    use crate::power_cut::log::{flag, made};

    /// What is in the sectors of two disks, the first with two of them, in every state.
    fn shown(own: Option<&[Vec<usize>]>) -> BTreeSet<String> {
        let folder = tempfile::tempdir().unwrap();
        let unit = made::SECTOR as u64;
        let disks = [(0, 2), (2, 1)].map(|(first, sectors)| {
            let image = folder.path().join(format!("base-{first}"));
            let length = sectors * unit;
            std::fs::write(&image, vec![b'.'; usize::try_from(length).unwrap()]).unwrap();
            let offset = first * unit;
            Window {
                offset,
                length,
                image,
            }
        });
        let [a, b, c] = [b'a', b'b', b'c'].map(|byte| vec![byte; made::SECTOR]);
        let flush = (0, flag::FLUSH, [].as_slice());
        let log = made::log(&[(0, 0, &a), (2, 0, &b), flush, (1, 0, &c)]);
        let mut replay = Replay::new(WriteLog::parse(log).unwrap(), &disks, None).unwrap();
        if let Some(own) = own {
            replay.assign(own);
        }
        let canvas = |disk| {
            let path = folder.path().join(format!("canvas-{disk}"));
            Canvas::new(&replay, disk, &path).unwrap()
        };
        let mut canvases = [0, 1].map(canvas);
        let states = replay.states(Bounds::default()).map(|state| {
            let shown = canvases.iter_mut().flat_map(|canvas| {
                canvas.show(&state).unwrap();
                let bytes = std::fs::read(canvas.path()).unwrap();
                bytes
                    .into_iter()
                    .step_by(made::SECTOR)
                    .map(char::from)
                    .collect::<Vec<_>>()
            });
            shown.collect()
        });
        states.collect()
    }

    #[test]
    fn a_flush_of_one_disk_leaves_open_what_was_written_to_the_other() {
        let before = ["...", "a..", "..b", "a.b"].map(str::to_owned);
        let set = |after: &[&str]| -> BTreeSet<String> {
            let after = after.iter().map(|text| (*text).to_owned());
            before.iter().cloned().chain(after).collect()
        };
        assert_eq!(shown(None), set(&["acb"]));
        assert_eq!(shown(Some(&[vec![1], vec![]])), set(&["ac.", "acb"]));
        assert_eq!(shown(Some(&[vec![], vec![1]])), set(&[".cb", "acb"]));
    }
}
