//! What is on overlays, under the names that the installed system has for it.

use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor, stat};
use storage::{DiskId, Look, Storage, Volume, VolumeId};

use crate::Device;

/// Every volume that a look can read, as a device for the programs of the systems on it. All of them are
/// overlays or stand on overlays.
pub fn devices(look: &Look) -> Vec<Device> {
    let storage = look.storage();
    let volumes = storage.volumes.iter();
    volumes
        .filter_map(|volume| {
            let node = look.node(&volume.id)?;
            let number = stat(node).ok()?.st_rdev;
            let (major, minor) = (major(number), minor(number));
            let mut names = vec![kernel_name(major, minor)?];
            names.extend(mounted_name(node));
            let disk = |id: &DiskId| look.kernel_name(id).map(str::to_owned);
            names.extend(own_names(storage, volume, &disk));
            Some(Device {
                names,
                major,
                minor,
            })
        })
        .collect()
}

/// What the kernel calls a device now: programs find it by that in /sys.
fn kernel_name(major: u64, minor: u64) -> Option<PathBuf> {
    let link = std::fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    Some(PathBuf::from(link.file_name()?))
}

/// What the look calls it. A file system that is mounted by this name tells it to programs: btrfs with its ioctl for
/// each of its devices, and all of them in /proc/self/mountinfo.
fn mounted_name(node: &Path) -> Option<PathBuf> {
    node.strip_prefix("/dev").ok().map(Path::to_owned)
}

/// What udev would call it in the installed system, and what /dev/disk knows it by.
fn own_names(
    storage: &Storage,
    volume: &Volume,
    disk: &dyn Fn(&DiskId) -> Option<String>,
) -> Vec<PathBuf> {
    let mut names: Vec<String> = Vec::new();
    match &volume.id {
        VolumeId::Disk(id) => names.extend(disk(id)),
        VolumeId::Partition {
            disk: id,
            number,
            partuuid,
        } => {
            names.extend(disk(id).map(|disk| partition_name(&disk, *number)));
            names.extend(partuuid.iter().map(|id| format!("disk/by-partuuid/{id}")));
        }
        VolumeId::LogicalVolume { group, volume } => {
            let groups = &mut storage.volume_groups.iter();
            if let Some(group) = groups.find(|known| known.uuid == *group) {
                let volumes = &mut group.logical_volumes.iter();
                if let Some(volume) = volumes.find(|known| known.uuid == *volume) {
                    names.push(mapper_name(&group.name, &volume.name));
                    names.push(format!("{}/{}", group.name, volume.name));
                }
            }
        }
        VolumeId::Opened { uuid } => {
            names.push(format!("mapper/luks-{uuid}"));
        }
        VolumeId::Array { .. } | VolumeId::ArrayPartition { .. } => {}
    }
    let uuid = volume
        .content
        .signature()
        .and_then(|known| known.uuid.as_ref());
    names.extend(uuid.map(|uuid| format!("disk/by-uuid/{uuid}")));
    names.into_iter().map(PathBuf::from).collect()
}

/// The kernel's name of a partition (`disk_name` in block/genhd.c).
fn partition_name(disk: &str, number: u32) -> String {
    let between = if disk.ends_with(|last: char| last.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    format!("{disk}{between}{number}")
}

/// The name of a logical volume in /dev/mapper: hyphens in either part are doubled.
fn mapper_name(group: &str, volume: &str) -> String {
    let doubled = |name: &str| name.replace('-', "--");
    format!("mapper/{}-{}", doubled(group), doubled(volume))
}

/// Whether a name stays below /dev. Names of volumes come from disks.
pub(crate) fn is_below(name: &Path) -> bool {
    let mut parts = name.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_as_the_kernel_does() {
        assert_eq!(partition_name("sda", 3), "sda3");
        assert_eq!(partition_name("nvme0n1", 3), "nvme0n1p3");
    }

    #[test]
    fn a_device_is_there_by_the_name_that_its_file_system_tells_programs() {
        let name = mounted_name(Path::new("/dev/mapper/overlay-sda3"));
        assert_eq!(name.as_deref(), Some(Path::new("mapper/overlay-sda3")));
        assert_eq!(mounted_name(Path::new("/tmp/disk.img")), None);
    }

    #[test]
    fn hyphens_of_a_logical_volume_are_doubled() {
        assert_eq!(
            mapper_name("pve-OLD-1", "vm-100"),
            "mapper/pve--OLD--1-vm--100"
        );
    }

    #[test]
    fn a_name_that_leads_out_of_dev_is_none() {
        assert!(is_below(Path::new("pve/root")));
        for name in ["", "/etc", "../etc", "pve/../../etc"] {
            assert!(!is_below(Path::new(name)), "{name}");
        }
    }
}
