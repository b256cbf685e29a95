use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::system::{Bus, Firmware};

const FILE: &str = "manifest.json";

/// What is known about an installed system: what its own tools said when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `preflight.golden/1`
    pub schema: String,
    /// Its name, which is also its host name.
    pub name: String,
    /// What it is, in a line.
    pub words: String,
    /// `PRETTY_NAME` of its os-release.
    pub distribution: String,
    /// What starts it.
    pub firmware: Firmware,
    /// Its disks, in the order in which the machine has them.
    pub disks: Vec<Disk>,
    /// The root: what findmnt(8) called its source, and its file system.
    pub root_source: String,
    /// The root's file system: `ext4`, `xfs`, `btrfs`, `zfs`.
    pub root_kind: String,
    /// LVM's volume group.
    pub volume_group: Option<VolumeGroup>,
    /// The ZFS pool.
    pub pool: Option<Pool>,
    /// Folders in /lib/modules.
    pub kernels: Vec<String>,
    /// The one of them that the boot loader starts by itself.
    pub next_kernel: String,
    /// The command line that this kernel had when the system booted by itself: /proc/cmdline.
    pub command_line: String,
    /// What the installed boot loaders left in the firmware's variables; none without UEFI.
    pub boot_entries: Vec<BootEntry>,
    /// What is on its ESPs.
    pub esps: Vec<Esp>,
    /// What one would not expect of such a system, in sentences.
    pub peculiar: Vec<String>,
    /// SHA-256 of the files of kernels, initrds and boot loaders on the root, by path from there.
    pub files: BTreeMap<String, String>,
    /// Installed packages and their versions, those that are shaped too.
    pub packages: BTreeMap<String, String>,
    /// What Debian's own programs made.
    pub real: Vec<String>,
    /// What was written to look like the work of programs that were not there.
    pub shaped: Vec<String>,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The image, beside the manifest.
    pub file: String,
    /// What it hangs on.
    pub bus: Bus,
    /// Serial number.
    pub serial: String,
    /// Bytes.
    pub bytes: u64,
    /// GUID of the partition table, lower case.
    pub table: String,
    /// Its partitions, by number.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// From 1.
    pub number: u32,
    /// Type GUID, lower case.
    pub kind: String,
    /// Partition GUID (PARTUUID), lower case.
    pub uuid: String,
    /// First sector, of 512 bytes.
    pub start: u64,
    /// Bytes.
    pub bytes: u64,
    /// What it holds, in libblkid's words.
    pub holds: Option<FileSystem>,
}

/// What libblkid recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// `vfat`, `LVM2_member`, `zfs_member`, `btrfs` and so on.
    pub kind: String,
    /// As blkid prints it.
    pub uuid: Option<String>,
    /// Its label.
    pub label: Option<String>,
}

/// A volume group of LVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeGroup {
    /// Its name.
    pub name: String,
    /// Its UUID, with LVM's hyphens.
    pub uuid: String,
    /// Its logical volumes.
    pub volumes: Vec<Volume>,
}

/// A logical volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its UUID, with LVM's hyphens.
    pub uuid: String,
    /// `lv_attr`, see lvs(8).
    pub attributes: String,
    /// Bytes.
    pub bytes: u64,
}

/// A ZFS pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its guid, decimal.
    pub guid: String,
    /// Host id of the system that it belongs to, eight hex digits.
    pub host: String,
    /// Its datasets when the root was installed.
    pub datasets: Vec<String>,
}

/// A boot entry of UEFI for a file on a partition (UEFI 2.10, 3.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntry {
    /// The digits of `Boot####`.
    pub number: String,
    /// Its description.
    pub label: String,
    /// PARTUUID, lower case.
    pub partition: String,
    /// Path on the ESP, with backslashes.
    pub file: String,
}

/// An EFI System Partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Esp {
    /// PARTUUID, lower case.
    pub partition: String,
    /// SHA-256 of its files by path, but for what changes with each boot and GRUB's modules.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest in the folder of an installed system.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    /// Writes it into the folder of the system.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        fs::write(&path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The partition that holds a file system with this UUID, and its disk.
    pub fn partition(&self, uuid: &str) -> Option<(&Disk, &Partition)> {
        self.disks.iter().find_map(|disk| {
            let holds = |partition: &&Partition| {
                let known = partition
                    .holds
                    .as_ref()
                    .and_then(|held| held.uuid.as_deref());
                known == Some(uuid)
            };
            Some((disk, disk.partitions.iter().find(holds)?))
        })
    }
}
