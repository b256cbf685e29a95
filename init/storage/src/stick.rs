use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::disks::{Disk, Partition, Transport, disks};
use crate::partition_table::{PartitionEntry, file_system_label, partition_table};
use crate::{Error, is_read_only};

/// GPT type GUID of the partition that takes the results. Together with [`VOLUME_LABEL`] and the USB bus
/// it makes a disk the boot stick, so that no other disk is ever taken for it.
pub const PARTITION_TYPE: &str = "4c74f8b9-5713-434e-a95c-cf77e5831dbf";

/// Label of the FAT file system on that partition.
pub const VOLUME_LABEL: &str = "PREFLIGHT";

/// A disk that has not answered for so long is passed over.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kernel names of disks that this process has asked and that have not answered yet.
static SILENT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Where results go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataPlace {
    /// The boot stick.
    Stick,
    /// The boot stick, whose place for results has this PARTUUID (lower case) as GRUB saw it: of several
    /// sticks the one that was booted.
    BootedStick(String),
    /// The partition with this PARTUUID (lower case), on whatever disk: `preflight.data=PARTUUID=...`,
    /// for CD and network boots.
    PartUuid(String),
}

impl DataPlace {
    /// Whether it is on the boot stick, whose disk is then not held read-only.
    pub fn is_stick(&self) -> bool {
        !matches!(self, Self::PartUuid(_))
    }

    /// Whether a partition with this PARTUUID can be it.
    fn is_at(&self, uuid: Option<&str>) -> bool {
        match self {
            Self::Stick => true,
            Self::BootedStick(booted) => {
                uuid == Some(booted) || uuid.is_some_and(|uuid| took_the_place_of(booted, uuid))
            }
            Self::PartUuid(named) => uuid == Some(named),
        }
    }
}

/// The partition that takes the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stick {
    /// Kernel name of its disk.
    pub disk: String,
    /// The partition's node.
    pub partition: PathBuf,
    /// The kernel holds it read-only: the stick's lock switch.
    pub write_protected: bool,
}

impl Stick {
    /// Whether the kernel still has the device.
    pub fn is_there(&self) -> bool {
        Path::new("/sys/block").join(&self.disk).exists()
    }
}

/// Finds the partition for the results among the disks below `sys`. `Ok(None)` when there is none (yet).
/// A disk that cannot be probed is passed over: it is not the stick. So is one that does not answer in time.
///
/// # Errors
/// [`Error::NotUnique`] when two partitions have the PARTUUID that names the place (a cloned disk),
/// [`Error::TwoSticks`] when nothing tells which of two was booted: to write to either would be a guess; and those of
/// [`stick_on`].
pub fn find_stick(sys: &Path, place: &DataPlace) -> Result<Option<Stick>, Error> {
    let disks = disks(sys)?;
    let found = disks.iter().map(|disk| stick_in_time(disk, place));
    let found: Vec<Option<Stick>> = found.collect::<Result<_, _>>()?;
    let mut found = found.into_iter().flatten();
    let first = found.next();
    if let (Some(first), Some(second)) = (&first, found.next()) {
        let (first, second) = (first.partition.clone(), second.partition);
        return Err(match place {
            DataPlace::Stick => Error::TwoSticks { first, second },
            DataPlace::BootedStick(uuid) | DataPlace::PartUuid(uuid) => Error::NotUnique {
                uuid: uuid.clone(),
                first,
                second,
            },
        });
    }
    Ok(first)
}

/// As [`stick_on`]; none where the disk does not answer, which is waited for once.
fn stick_in_time(disk: &Disk, place: &DataPlace) -> Result<Option<Stick>, Error> {
    if cannot_be(disk, place) || silent().contains(&disk.name) {
        return Ok(None);
    }
    let (tell, told) = mpsc::channel();
    let (asked, of_thread) = (disk.clone(), place.clone());
    thread::spawn(move || {
        let _ = tell.send(stick_on(&asked, &of_thread));
        silent().remove(&asked.name);
    });
    if let Ok(found) = told.recv_timeout(PATIENCE) {
        return found;
    }
    silent().insert(disk.name.clone());
    // It may have answered in between, and found nothing to take out.
    match told.try_recv() {
        Ok(found) => {
            silent().remove(&disk.name);
            found
        }
        Err(_) => Ok(None),
    }
}

fn silent() -> MutexGuard<'static, BTreeSet<String>> {
    SILENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the disk need not be opened to know that it is not the place.
fn cannot_be(disk: &Disk, place: &DataPlace) -> bool {
    place.is_stick() && disk.transport != Transport::Usb
}

/// The results partition on one disk, if it carries one.
///
/// # Errors
/// [`Error::OtherTable`] when the kernel has that partition elsewhere than the disk's table.
pub fn stick_on(disk: &Disk, place: &DataPlace) -> Result<Option<Stick>, Error> {
    if cannot_be(disk, place) {
        return Ok(None);
    }
    let table = partition_table(&disk.node()).unwrap_or_default();
    let Some(partition) = results_partition(disk, &table, place)? else {
        return Ok(None);
    };
    let partition = partition.node();
    let label = || file_system_label(&partition).ok().flatten();
    if place.is_stick() && label().as_deref() != Some(VOLUME_LABEL) {
        return Ok(None);
    }
    let write_protected = is_read_only(&partition).unwrap_or(false);
    Ok(Some(Stick {
        disk: disk.name.clone(),
        partition,
        write_protected,
    }))
}

/// What the kernel has for the entry of the table that names the place. A table may have been written since the kernel
/// read it: then number and PARTUUID are in both, and what is saved lies where nobody finds it after a restart.
fn results_partition<'a>(
    disk: &'a Disk,
    table: &[PartitionEntry],
    place: &DataPlace,
) -> Result<Option<&'a Partition>, Error> {
    let entry = table.iter().find(|entry| {
        let ours = !place.is_stick() || entry.kind == PARTITION_TYPE;
        ours && place.is_at(entry.uuid.as_deref())
    });
    let Some(entry) = entry else { return Ok(None) };
    let mut partitions = disk.partitions.iter();
    let partition = partitions.find(|part| part.number == entry.number);
    if partition.is_some_and(|partition| partition.start != entry.start) {
        return Err(Error::OtherTable { disk: disk.node() });
    }
    Ok(partition)
}

/// What places for results have taken the place of others since the start: a line each, PARTUUID of the old one and
/// of the new one. GRUB and the kernel's command line know the old one alone.
const SUCCESSORS: &str = "/run/preflight/sticks-made-anew";

/// Notes that the place for results `old` is about to become `new`; other processes read it, too.
pub(crate) fn note_successor(old: &str, new: &str) -> Result<(), Error> {
    let path = Path::new(SUCCESSORS);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    }
    let file = OpenOptions::new().append(true).create(true).open(path);
    let mut file = file.map_err(Error::io("open", path))?;
    file.write_all(format!("{old} {new}\n").as_bytes())
        .map_err(Error::io("write", path))
}

fn took_the_place_of(old: &str, new: &str) -> bool {
    let noted = fs::read_to_string(SUCCESSORS).unwrap_or_default();
    noted
        .lines()
        .any(|line| line.split_once(' ') == Some((old, new)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_the_kernel_has_elsewhere_than_the_table_takes_no_results() {
        let uuid = "11223344-5566-7788-99aa-bbccddeeff00";
        let table = [PartitionEntry {
            number: 3,
            kind: PARTITION_TYPE.to_owned(),
            uuid: Some(uuid.to_owned()),
            name: None,
            start: 4096,
        }];
        let disk = |start| Disk {
            name: "sdb".to_owned(),
            transport: Transport::Usb,
            size: 1 << 30,
            partitions: vec![Partition {
                name: "sdb3".to_owned(),
                number: 3,
                start,
            }],
        };
        for place in [
            DataPlace::Stick,
            DataPlace::BootedStick(uuid.to_owned()),
            DataPlace::PartUuid(uuid.to_owned()),
        ] {
            let as_read = disk(4096);
            let found = results_partition(&as_read, &table, &place).unwrap();
            assert_eq!(found, as_read.partitions.first());
            let error = results_partition(&disk(2048), &table, &place).unwrap_err();
            assert!(matches!(error, Error::OtherTable { .. }), "{error}");
            // Not an error: its node is still to come.
            let mut without = disk(0);
            without.partitions.clear();
            assert_eq!(results_partition(&without, &table, &place).unwrap(), None);
        }
    }
}
