use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::choice::Pick;
use super::replay::Replay;
use super::sparse;
use super::states::CrashState;

/// One disk of a recording as a raw image that shows one crash state after the other. From one to the next
/// only what differs is written; tools that write to an image are given a copy of it.
#[derive(Debug)]
pub struct Canvas<'a> {
    replay: &'a Replay,
    disk: usize,
    path: PathBuf,
    file: File,
    /// The writes before this one are in the image.
    flushed: usize,
    /// What the state's own writes have covered, in order: place and bytes.
    covered: Vec<(u64, Vec<u8>)>,
}

impl<'a> Canvas<'a> {
    /// An image at `path` of disk `disk`, as it was before the first write.
    pub fn new(replay: &'a Replay, disk: usize, path: &Path) -> io::Result<Self> {
        Ok(Self {
            replay,
            disk,
            path: path.to_owned(),
            file: fresh(replay, disk, path)?,
            flushed: 0,
            covered: Vec::new(),
        })
    }

    /// The image.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shows this state. Fastest in the order in which they come.
    pub fn show(&mut self, state: &CrashState<'_>) -> io::Result<()> {
        while let Some((at, bytes)) = self.covered.pop() {
            self.file.write_all_at(&bytes, at)?;
        }
        if state.flushed < self.flushed {
            self.file = fresh(self.replay, self.disk, &self.path)?;
            self.flushed = 0;
        }
        for write in self.flushed..state.flushed {
            if let Some((at, bytes)) = self.placed(write, 0, u64::MAX) {
                self.file.write_all_at(bytes, at)?;
            }
        }
        self.flushed = state.flushed;
        for Pick { write, sectors } in &state.picks {
            if let Some((at, bytes)) = self.placed(*write, sectors.start, sectors.end) {
                let mut before = vec![0; bytes.len()];
                self.file.read_exact_at(&mut before, at)?;
                self.file.write_all_at(bytes, at)?;
                self.covered.push((at, before));
            }
        }
        Ok(())
    }

    /// These sectors of a write to this disk: place on the disk and bytes.
    fn placed(&self, write: usize, from: u64, to: u64) -> Option<(u64, &'a [u8])> {
        let sector = self.replay.log.sector();
        let write = &self.replay.writes[write];
        if write.disk != self.disk {
            return None;
        }
        let data = self.replay.log.data(&write.data);
        let end = usize::try_from(to).unwrap_or(usize::MAX);
        let end = end.saturating_mul(sector).min(data.len());
        let start = usize::try_from(from).ok()?.checked_mul(sector)?;
        let offset = self.replay.disks[self.disk].offset;
        let at = (write.first + from) * sector as u64 - offset;
        Some((at, data.get(start..end)?))
    }
}

fn fresh(replay: &Replay, disk: usize, path: &Path) -> io::Result<File> {
    let image = &replay.disks[disk].image;
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.set_len(sparse::copy(image, &file, 0)?)?;
    Ok(file)
}
