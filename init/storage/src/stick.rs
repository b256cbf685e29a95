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
    /// The partition with this PARTUUID (lower case), on whatever disk: `preflight.data=PARTUUID=...`,
    /// for CD and network boots.
    PartUuid(String),
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
/// [`Error::NotUnique`] when two partitions have the PARTUUID that names the place (a cloned disk): to
/// write to either would be a guess.
pub fn find_stick(sys: &Path, place: &DataPlace) -> Result<Option<Stick>, Error> {
    let disks = disks(sys)?;
    let mut found = disks.iter().filter_map(|disk| stick_on(disk, place));
    let first = found.next();
    if let (DataPlace::PartUuid(uuid), Some(first), Some(second)) = (place, &first, found.next()) {
        return Err(Error::NotUnique {
            uuid: uuid.clone(),
            first: first.partition.clone(),
            second: second.partition,
        });
    }
    Ok(first)
}

/// The results partition on one disk, if it carries one.
pub fn stick_on(disk: &Disk, place: &DataPlace) -> Option<Stick> {
    if *place == DataPlace::Stick && disk.transport != Transport::Usb {
        return None;
    }
    let table = partition_table(&disk.node()).ok()?;
    let entry = table.iter().find(|entry| match place {
        DataPlace::Stick => entry.kind == PARTITION_TYPE,
        DataPlace::PartUuid(uuid) => entry.uuid.as_deref() == Some(uuid),
    })?;
    let partition = disk
        .partitions
        .iter()
        .find(|part| part.number == entry.number)?
        .node();
    if *place == DataPlace::Stick {
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
