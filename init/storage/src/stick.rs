use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::disks::{Disk, Transport, disks};
use crate::partition_table::{file_system_label, partition_table};
use crate::{Error, is_read_only};

/// GPT type GUID of the partition that takes the results. Together with [`VOLUME_LABEL`] and the USB bus
/// it makes a disk the boot stick, so that no other disk is ever taken for it.
pub const PARTITION_TYPE: &str = "4c74f8b9-5713-434e-a95c-cf77e5831dbf";

/// Label of the FAT file system on that partition.
pub const VOLUME_LABEL: &str = "PREFLIGHT";

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
/// A disk that cannot be probed is passed over: it is not the stick.
///
/// # Errors
/// [`Error::NotUnique`] when two partitions have the PARTUUID that names the place (a cloned disk), and
/// [`Error::TwoSticks`] when nothing tells which of two was booted: to write to either would be a guess.
pub fn find_stick(sys: &Path, place: &DataPlace) -> Result<Option<Stick>, Error> {
    let disks = disks(sys)?;
    let mut found = disks.iter().filter_map(|disk| stick_on(disk, place));
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

/// The results partition on one disk, if it carries one.
pub fn stick_on(disk: &Disk, place: &DataPlace) -> Option<Stick> {
    if place.is_stick() && disk.transport != Transport::Usb {
        return None;
    }
    let table = partition_table(&disk.node()).ok()?;
    let entry = table.iter().find(|entry| {
        let ours = !place.is_stick() || entry.kind == PARTITION_TYPE;
        ours && place.is_at(entry.uuid.as_deref())
    })?;
    let partition = disk
        .partitions
        .iter()
        .find(|part| part.number == entry.number)?
        .node();
    if place.is_stick() {
        let label = file_system_label(&partition).ok()??;
        if label != VOLUME_LABEL {
            return None;
        }
    }
    let write_protected = is_read_only(&partition).unwrap_or(false);
    Some(Stick {
        disk: disk.name.clone(),
        partition,
        write_protected,
    })
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
