use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What tells a disk from every other one, over boots: `wwn:...`, `serial:MODEL_SERIAL`, or where it hangs
/// (`path:...`) when it says neither or says the same as another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiskId(pub String);

/// What tells a volume from every other one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeId {
    /// A disk without partitions.
    Disk(DiskId),
    /// A partition of a disk.
    Partition {
        /// The disk.
        disk: DiskId,
        /// Number in its partition table, from 1.
        number: u32,
        /// PARTUUID, lower case. Copies of a disk have the same.
        partuuid: Option<String>,
    },
    /// An MD array.
    Array {
        /// Its UUID.
        uuid: String,
    },
    /// A partition of an MD array.
    ArrayPartition {
        /// UUID of the array.
        uuid: String,
        /// Number, from 1.
        number: u32,
    },
    /// An LVM logical volume.
    LogicalVolume {
        /// UUID of its volume group.
        group: String,
        /// Its own UUID.
        volume: String,
    },
    /// What a LUKS volume holds, opened.
    Opened {
        /// UUID in the LUKS header.
        uuid: String,
    },
}

/// What tells a file system from every other one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileSystemId {
    /// That on a volume.
    On(VolumeId),
    /// A btrfs, which may have several volumes.
    Btrfs {
        /// UUID of the file system.
        uuid: String,
    },
    /// A data set of a ZFS pool.
    DataSet {
        /// GUID of the pool.
        pool: u64,
        /// Name of the data set, with the pool's own name in front.
        name: String,
    },
}

/// What a disk says of itself, and where it hangs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    pub wwn: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
    /// Its folder below /sys/devices.
    pub path: String,
}

impl Claims {
    fn own(&self) -> Option<String> {
        if let Some(wwn) = &self.wwn {
            return Some(format!("wwn:{wwn}"));
        }
        let serial = self.serial.as_ref()?;
        let model = self.model.as_deref().unwrap_or("disk");
        Some(format!("serial:{model}_{serial}").replace(' ', "_"))
    }
}

/// Identities of disks from what they say. Where two say the same, both go by where they hang.
pub(crate) fn identities(disks: &[Claims]) -> Vec<DiskId> {
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for claims in disks {
        if let Some(own) = claims.own() {
            *said.entry(own).or_default() += 1;
        }
    }
    disks
        .iter()
        .map(|claims| match claims.own() {
            Some(own) if said.get(&own) == Some(&1) => DiskId(own),
            _ => DiskId(format!("path:{}", claims.path)),
        })
        .collect()
}

impl VolumeId {
    /// The disk that it is, or is a partition of.
    pub fn disk(&self) -> Option<&DiskId> {
        match self {
            Self::Disk(disk) | Self::Partition { disk, .. } => Some(disk),
            _ => None,
        }
    }
}

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(disk) => write!(f, "disk {disk}"),
            Self::Partition { disk, number, .. } => write!(f, "partition {number} of {disk}"),
            Self::Array { uuid } => write!(f, "MD array {uuid}"),
            Self::ArrayPartition { uuid, number } => {
                write!(f, "partition {number} of MD array {uuid}")
            }
            Self::LogicalVolume { group, volume } => {
                write!(f, "logical volume {volume} of volume group {group}")
            }
            Self::Opened { uuid } => write!(f, "opened LUKS volume {uuid}"),
        }
    }
}

impl fmt::Display for FileSystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(volume) => volume.fmt(f),
            Self::Btrfs { uuid } => write!(f, "btrfs {uuid}"),
            Self::DataSet { pool, name } => write!(f, "data set {name} of pool {pool}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(wwn: Option<&str>, serial: Option<&str>, path: &str) -> Claims {
        Claims {
            wwn: wwn.map(str::to_owned),
            serial: serial.map(str::to_owned),
            model: Some("QEMU HARDDISK".to_owned()),
            path: path.to_owned(),
        }
    }

    #[test]
    fn a_disk_goes_by_its_world_wide_name_else_by_its_serial_number() {
        let disks = [
            disk(Some("naa.5000c500a1b2c3d4"), Some("Z1"), "a"),
            disk(None, Some("Z2"), "b"),
            disk(None, None, "c"),
        ];
        let ids: Vec<String> = identities(&disks).into_iter().map(|id| id.0).collect();
        assert_eq!(
            ids,
            [
                "wwn:naa.5000c500a1b2c3d4",
                "serial:QEMU_HARDDISK_Z2",
                "path:c"
            ]
        );
    }

    #[test]
    fn two_disks_that_say_the_same_are_told_apart_by_where_they_hang() {
        let disks = [disk(None, Some("1"), "a"), disk(None, Some("1"), "b")];
        let ids: Vec<String> = identities(&disks).into_iter().map(|id| id.0).collect();
        assert_eq!(ids, ["path:a", "path:b"]);
    }
}
