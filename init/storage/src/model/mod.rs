//! What is on the disks, as values. Nothing here is named by a kernel name: `sda` is another disk after the
//! next boot.

mod content;
mod identity;
mod trouble;
mod wanted;

use std::collections::BTreeSet;

use pci::Address;
use serde::{Deserialize, Serialize};

pub use content::{Content, Signature};
pub(crate) use identity::{Claims, identities};
pub use identity::{DiskId, FileSystemId, VolumeId};
pub use trouble::Trouble;
pub use wanted::{CannotWrite, Wanted};

use crate::lvm::VolumeGroup;
use crate::zfs::Pool;

/// Nothing is stacked deeper: LUKS on LVM on RAID on partitions.
const PARTS_DEEP: usize = 8;

/// Everything that a look finds on the disks of a machine, but for the boot stick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Disks.
    pub disks: Vec<DiskFacts>,
    /// Partitions, disks without any, and what is assembled of them.
    pub volumes: Vec<Volume>,
    /// MD arrays.
    pub arrays: Vec<Array>,
    /// LVM volume groups.
    pub volume_groups: Vec<VolumeGroup>,
    /// ZFS pools.
    pub pools: Vec<Pool>,
    /// File systems, and data sets of pools.
    pub file_systems: Vec<FileSystem>,
    /// File systems that hold the root of an installed system.
    pub roots: Vec<RootCandidate>,
    /// What could not be read or used, and why.
    pub troubles: Vec<Trouble>,
    /// Bytes of memory that all overlays together may fill.
    pub overlay_bound: u64,
}

/// A disk, as it names itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// What tells it from every other one.
    pub id: DiskId,
    /// Maker's name of the model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// World-wide name, or what the kernel takes for one.
    pub wwn: Option<String>,
    /// Bytes.
    pub size: u64,
    /// It hangs on a USB host controller.
    pub usb: bool,
    /// The PCI function that it hangs on: of several paths, the first.
    pub function: Option<Address>,
}

/// Something that can hold a file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// What tells it from every other one.
    pub id: VolumeId,
    /// Bytes.
    pub size: u64,
    /// GPT type GUID or MBR type of a partition, lower case.
    pub partition_type: Option<String>,
    /// PARTLABEL: a partition's name in a GPT.
    #[serde(default)]
    pub partition_name: Option<String>,
    /// What it holds.
    pub content: Content,
}

/// An MD array by its superblocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// UUID in the superblocks, as libblkid writes it.
    pub uuid: String,
    /// Its name, when the superblock has one: `HOST:NAME`.
    pub name: Option<String>,
    /// Members that are there.
    pub members: Vec<VolumeId>,
    /// Whether it could be assembled for reading.
    pub assembled: bool,
    /// How many members an assembled one lacks, faulty ones among them; one that is being rebuilt is there.
    pub missing: u64,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// What tells it from every other one.
    pub id: FileSystemId,
    /// `ext4`, `xfs`, `vfat`, ...: the kernel's name where it has one.
    pub kind: String,
    /// UUID, or the serial number of a FAT.
    pub uuid: Option<String>,
    /// Label; the name of a data set.
    pub label: Option<String>,
    /// The volumes that hold it.
    pub on: Vec<VolumeId>,
    /// Members of a btrfs that are not there.
    pub missing: u64,
}

/// A file system that holds the root of an installed system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootCandidate {
    /// The file system.
    pub file_system: FileSystemId,
    /// Folder of the root in it: a btrfs subvolume; empty when it is the top.
    pub subvolume: String,
    /// `PRETTY_NAME` of its os-release; none when there is none to be read.
    pub name: Option<String>,
}

impl Storage {
    /// The volume with this identity.
    pub fn volume(&self, id: &VolumeId) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.id == *id)
    }

    /// Whether a volume is another one, or is assembled of it.
    pub fn stands_on(&self, volume: &VolumeId, below: &VolumeId) -> bool {
        volume == below || self.parts_of(volume).contains(below)
    }

    fn parts(&self, volume: &VolumeId, depth: usize) -> BTreeSet<VolumeId> {
        let holders: Vec<&VolumeId> = match volume {
            VolumeId::Disk(_) | VolumeId::Partition { .. } => Vec::new(),
            VolumeId::Array { uuid } | VolumeId::ArrayPartition { uuid, .. } => self
                .arrays
                .iter()
                .filter(|array| array.uuid == *uuid)
                .flat_map(|array| &array.members)
                .collect(),
            VolumeId::LogicalVolume { group, .. } => self
                .volume_groups
                .iter()
                .filter(|one| one.uuid == *group)
                .flat_map(|one| self.with_uuids(&one.physical_volumes))
                .collect(),
            VolumeId::Opened { uuid } => self.with_uuids(std::slice::from_ref(uuid)),
        };
        let mut parts = BTreeSet::new();
        for holder in holders {
            if depth > 0 && parts.insert(holder.clone()) {
                parts.extend(self.parts(holder, depth - 1));
            }
        }
        parts
    }

    /// The volumes that one is assembled of, down to partitions and disks.
    fn parts_of(&self, volume: &VolumeId) -> BTreeSet<VolumeId> {
        self.parts(volume, PARTS_DEEP)
    }

    /// The disks that a volume stands on.
    pub fn disks_below(&self, volume: &VolumeId) -> BTreeSet<DiskId> {
        let mut parts = self.parts_of(volume);
        parts.insert(volume.clone());
        parts.iter().filter_map(VolumeId::disk).cloned().collect()
    }

    /// The disks that a file system stands on.
    pub fn disks_of(&self, system: &FileSystem) -> BTreeSet<DiskId> {
        let volumes = system.on.iter();
        volumes
            .flat_map(|volume| self.disks_below(volume))
            .collect()
    }

    /// The volume group with this UUID.
    pub fn volume_group(&self, uuid: &str) -> Option<&VolumeGroup> {
        self.volume_groups.iter().find(|group| group.uuid == uuid)
    }

    /// The array that a volume is, or is a partition of.
    pub fn array(&self, volume: &VolumeId) -> Option<&Array> {
        match volume {
            VolumeId::Array { uuid } | VolumeId::ArrayPartition { uuid, .. } => {
                self.arrays.iter().find(|array| array.uuid == *uuid)
            }
            _ => None,
        }
    }

    /// The pool with this GUID.
    pub fn pool(&self, guid: u64) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.guid == guid)
    }

    fn with_uuids(&self, uuids: &[String]) -> Vec<&VolumeId> {
        let volumes = self.volumes.iter();
        volumes
            .filter(|volume| {
                let known = volume.content.signature();
                known
                    .and_then(|known| known.uuid.as_ref())
                    .is_some_and(|uuid| uuids.contains(uuid))
            })
            .map(|volume| &volume.id)
            .collect()
    }

    /// The file system with this identity.
    pub fn file_system(&self, id: &FileSystemId) -> Option<&FileSystem> {
        self.file_systems.iter().find(|system| system.id == *id)
    }
}
