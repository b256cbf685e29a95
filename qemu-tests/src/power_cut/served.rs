use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::choice::Pick;
use super::network_disk::{Disk, serve};
use super::recording::at;
use super::replay::Replay;
use super::states::CrashState;
use crate::Qemu;

/// Crash states as disks that QEMU reads over a socket, many at once and none of them ever copied: what a state has
/// is looked up in the recording. Guests write to overlays, which are of use as long as this lives.
#[derive(Debug)]
pub struct Served {
    shared: Arc<Shared>,
    socket: PathBuf,
}

#[derive(Debug)]
struct Shared {
    replay: Arc<Replay>,
    bases: Vec<File>,
    /// Which writes each sector of the common image got: sector and number of the write, sorted.
    written: Vec<(u64, usize)>,
    states: Mutex<Vec<Arc<Content>>>,
}

/// What a state has on its disks.
#[derive(Debug)]
struct Content {
    flushed: usize,
    /// Which write a sector has that was not flushed.
    over: HashMap<u64, usize>,
}

impl Served {
    /// Serves states of this replay at a socket in `folder`.
    pub fn new(replay: &Arc<Replay>, folder: &Path) -> io::Result<Self> {
        let open = |image: &PathBuf| File::open(image).map_err(|error| at(image, &error));
        let bases = replay.disks.iter().map(|disk| open(&disk.image));
        let numbered = replay.writes.iter().enumerate();
        let mut written: Vec<(u64, usize)> = numbered
            .flat_map(|(number, write)| write.sectors().map(move |sector| (sector, number)))
            .collect();
        written.sort_unstable();
        let shared = Arc::new(Shared {
            bases: bases.collect::<io::Result<_>>()?,
            replay: Arc::clone(replay),
            written,
            states: Mutex::default(),
        });
        let socket = folder.join("states.socket");
        let listener = UnixListener::bind(&socket).map_err(|error| at(&socket, &error))?;
        let serving = Arc::clone(&shared);
        // It ends with the process; each connection has a thread of its own.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(io::Result::ok) {
                let serving = Arc::clone(&serving);
                // A client that goes away in the middle is a guest that was switched off.
                thread::spawn(move || serve(stream, &|name| serving.disk(name)));
            }
        });
        Ok(Self { shared, socket })
    }

    /// Disks that begin as this state: qcow2 overlays `NAME-N.qcow2` in `folder`.
    pub fn overlays(
        &self,
        qemu: &Qemu,
        state: &CrashState<'_>,
        folder: &Path,
        name: &str,
    ) -> Result<Vec<PathBuf>> {
        let mut over = HashMap::new();
        for Pick { write, sectors } in &state.picks {
            let first = self.shared.replay.writes[*write].first;
            let sectors = first + sectors.start..first + sectors.end;
            over.extend(sectors.map(|sector| (sector, *write)));
        }
        let content = Content {
            flushed: state.flushed,
            over,
        };
        let mut states = self
            .shared
            .states
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        states.push(Arc::new(content));
        let number = states.len() - 1;
        drop(states);
        let overlay = |disk: usize| {
            let path = folder.join(format!("{name}-{disk}.qcow2"));
            let base = format!(
                "nbd+unix:///{number}-{disk}?socket={}",
                self.socket.display()
            );
            let mut command = qemu.tool("qemu-img");
            command.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &base]);
            let output = command.arg(&path).output().context("qemu-img")?;
            ensure!(output.status.success(), "{command:?} failed: {output:?}");
            Ok(path)
        };
        (0..self.shared.bases.len()).map(overlay).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

impl Shared {
    /// The disk that is asked for as `STATE-DISK`.
    fn disk(&self, name: &str) -> Option<OneDisk<'_>> {
        let (state, disk) = name.split_once('-')?;
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let content = Arc::clone(states.get(state.parse::<usize>().ok()?)?);
        let disk = disk.parse().ok()?;
        self.bases.get(disk)?;
        Some(OneDisk {
            shared: self,
            content,
            disk,
        })
    }
}

/// A disk of a state.
struct OneDisk<'a> {
    shared: &'a Shared,
    content: Arc<Content>,
    disk: usize,
}

impl Disk for OneDisk<'_> {
    fn length(&self) -> u64 {
        self.shared.replay.disks[self.disk].length
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let replay = &self.shared.replay;
        let unit = replay.log.sector();
        self.shared.bases[self.disk].read_exact_at(into, offset)?;
        let begin = replay.disks[self.disk].offset + offset;
        let sectors = begin / unit as u64..(begin + into.len() as u64).div_ceil(unit as u64);
        for sector in sectors {
            let Some(write) = self.last_write(sector) else {
                continue;
            };
            let write = &replay.writes[write];
            let data = replay.log.data(&write.data);
            // A read may begin or end inside a sector.
            let place = sector * unit as u64;
            let from = place.max(begin);
            let to = (place + unit as u64).min(begin + into.len() as u64);
            let first = write.first * unit as u64;
            let index = |at: u64, base: u64| usize::try_from(at - base).map_err(io::Error::other);
            let source = &data[index(from, first)?..index(to, first)?];
            into[index(from, begin)?..index(to, begin)?].copy_from_slice(source);
        }
        Ok(())
    }
}

impl OneDisk<'_> {
    /// The write whose bytes this sector of the common image has in this state.
    fn last_write(&self, sector: u64) -> Option<usize> {
        if let Some(write) = self.content.over.get(&sector) {
            return Some(*write);
        }
        let written = &self.shared.written;
        let end = written.partition_point(|entry| *entry < (sector, self.content.flushed));
        let (found, write) = written.get(end.checked_sub(1)?)?;
        (*found == sector).then_some(*write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power_cut::log::{flag, made};
    use crate::power_cut::{Bounds, Canvas, Window, WriteLog};

    const SECTORS: usize = 8;

    /// Two disks side by side, written to in turn.
    #[test]
    fn every_state_reads_as_its_canvas_whatever_part_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let length = (SECTORS * made::SECTOR) as u64;
        let disks = [0, 1].map(|number| {
            let image = folder.path().join(format!("base-{number}"));
            fs::write(&image, vec![b'0' + number; SECTORS * made::SECTOR]).unwrap();
            let offset = u64::from(number) * length;
            Window {
                offset,
                length,
                image,
            }
        });
        let filled = |byte: u8, sectors: usize| vec![byte; sectors * made::SECTOR];
        let data = [
            filled(b'a', 2),
            filled(b'b', 3),
            filled(b'c', 1),
            filled(b'd', 2),
        ];
        let entries = [
            (1, 0, data[0].as_slice()),
            (9, 0, data[1].as_slice()),
            (0, flag::FLUSH, &[]),
            (2, flag::FUA, data[2].as_slice()),
            (1, 0, data[3].as_slice()),
        ];
        let log = WriteLog::parse(made::log(&entries)).unwrap();
        let replay = Arc::new(Replay::new(log, &disks, None).unwrap());
        let served = Served::new(&replay, folder.path()).unwrap();
        let mut canvases = [0, 1].map(|disk| {
            Canvas::new(&replay, disk, &folder.path().join(format!("canvas-{disk}"))).unwrap()
        });
        let qemu = Qemu::obtain();
        let Ok(qemu) = qemu else {
            crate::skip("no QEMU");
            return;
        };
        let mut count = 0;
        for (number, state) in replay.states(Bounds::default()).enumerate() {
            served
                .overlays(&qemu, &state, folder.path(), &format!("state-{number}"))
                .unwrap();
            for (index, canvas) in canvases.iter_mut().enumerate() {
                canvas.show(&state).unwrap();
                let bytes = fs::read(canvas.path()).unwrap();
                let disk = served.shared.disk(&format!("{number}-{index}")).unwrap();
                for (from, to) in [(0, bytes.len()), (700, 1100), (513, 514), (1024, 2048)] {
                    let mut read = vec![0; to - from];
                    disk.read(from as u64, &mut read).unwrap();
                    assert!(
                        read == bytes[from..to],
                        "{state}, disk {index}, {from}..{to}"
                    );
                }
            }
            count += 1;
        }
        assert!(count > 5, "{count}");
        assert!(served.shared.disk("1000-0").is_none() && served.shared.disk("0-2").is_none());
    }
}
