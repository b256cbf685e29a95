use std::collections::BTreeSet;

use storage::{DiskId, FileSystem, Storage, VolumeId};

/// Letters of a serial number that tell a disk in a name of udev's; shorter ones are part of anything.
const SERIAL: usize = 4;

/// The volume that a line of /etc/fstab names. `near` are the disks that the system itself stands on: of two
/// volumes that the name fits, such as on a copied disk, it is the one there. Fails with the reason.
pub(super) fn volume<'a>(
    storage: &'a Storage,
    near: &BTreeSet<DiskId>,
    name: &str,
) -> Result<&'a VolumeId, String> {
    let mut found: Vec<&VolumeId> = storage
        .volumes
        .iter()
        .map(|volume| &volume.id)
        .filter(|id| is_named(storage, id, name))
        .collect();
    if found.len() > 1 {
        found.retain(|id| !storage.disks_below(id).is_disjoint(near));
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] if names_by_order(name) => Err(
            "it is named by the order in which the kernel found the disks, which says nothing here"
                .to_owned(),
        ),
        [] => Err("nothing of that name is on the disks that could be read".to_owned()),
        _ => Err("several volumes have that name".to_owned()),
    }
}

/// The file system on a volume.
pub(super) fn file_system<'a>(storage: &'a Storage, volume: &VolumeId) -> Option<&'a FileSystem> {
    let mut systems = storage.file_systems.iter();
    systems.find(|system| system.on.contains(volume))
}

/// `/dev/sda2`, `/dev/nvme0n1p2`, `/dev/md0`: another disk after the next start.
fn names_by_order(name: &str) -> bool {
    let own = name.strip_prefix("/dev/").unwrap_or_default();
    let orders = ["sd", "hd", "vd", "xvd", "nvme", "md", "mmcblk", "dm-"];
    !own.contains('/') && orders.iter().any(|order| own.starts_with(order))
}

fn is_named(storage: &Storage, id: &VolumeId, name: &str) -> bool {
    /// How fstab(5) names a device, and where udev puts the same.
    const TAGS: [(&str, &str); 4] = [
        ("UUID=", "/dev/disk/by-uuid/"),
        ("LABEL=", "/dev/disk/by-label/"),
        ("PARTUUID=", "/dev/disk/by-partuuid/"),
        ("PARTLABEL=", "/dev/disk/by-partlabel/"),
    ];
    let tag = TAGS.iter().find_map(|(tag, folder)| {
        let value = name
            .strip_prefix(tag)
            .or_else(|| name.strip_prefix(folder))?;
        Some((*tag, value.trim_matches('"')))
    });
    let Some((tag, value)) = tag else {
        return is_path(storage, id, name);
    };
    let volume = storage.volume(id);
    let known = volume.and_then(|volume| volume.content.signature());
    match (tag, id) {
        ("PARTUUID=", VolumeId::Partition { partuuid, .. }) => partuuid
            .as_deref()
            .is_some_and(|uuid| uuid.eq_ignore_ascii_case(value)),
        ("UUID=", _) => known
            .and_then(|known| known.uuid.as_deref())
            .is_some_and(|uuid| uuid.eq_ignore_ascii_case(value)),
        ("PARTLABEL=", _) => {
            volume.and_then(|volume| volume.partition_name.as_deref()) == Some(value)
        }
        ("LABEL=", _) => known.and_then(|known| known.label.as_deref()) == Some(value),
        _ => false,
    }
}

/// Whether a path below /dev that stays over boots is this volume's.
fn is_path(storage: &Storage, id: &VolumeId, path: &str) -> bool {
    match id {
        VolumeId::LogicalVolume { group, volume } => {
            let Some((group, volume)) = names(storage, group, volume) else {
                return false;
            };
            // Device-mapper joins both names with a hyphen and doubles their own.
            let mapped = [group, volume]
                .map(|name| name.replace('-', "--"))
                .join("-");
            path == format!("/dev/{group}/{volume}") || path == format!("/dev/mapper/{mapped}")
        }
        VolumeId::Disk(disk) => is_disk(storage, disk, path, None),
        VolumeId::Partition { disk, number, .. } => is_disk(storage, disk, path, Some(*number)),
        _ => false,
    }
}

/// Names of a volume group and of one of its volumes.
pub(super) fn names<'a>(
    storage: &'a Storage,
    group: &str,
    volume: &str,
) -> Option<(&'a str, &'a str)> {
    let group = storage.volume_group(group)?;
    let mut volumes = group.logical_volumes.iter();
    let volume = volumes.find(|one| one.uuid == volume)?;
    Some((&group.name, &volume.name))
}

/// `/dev/disk/by-id/ata-QEMU_HARDDISK_QM00001-part2`
fn is_disk(storage: &Storage, disk: &DiskId, path: &str, number: Option<u32>) -> bool {
    let Some(name) = path.strip_prefix("/dev/disk/by-id/") else {
        return false;
    };
    let (name, part) = match name.rsplit_once("-part") {
        Some((name, part)) => (name, part.parse().ok()),
        None => (name, None),
    };
    let facts = storage.disks.iter().find(|facts| facts.id == *disk);
    let serial = facts
        .and_then(|facts| facts.serial.as_deref())
        .map(|serial| serial.replace(' ', "_"));
    part == number && serial.is_some_and(|serial| serial.len() >= SERIAL && name.contains(&serial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::testing::{lvm, zfs};

    fn named(name: &str) -> Result<String, String> {
        let storage = lvm();
        volume(&storage, &BTreeSet::new(), name).map(ToString::to_string)
    }

    #[test]
    fn a_volume_is_found_by_every_name_that_stays() {
        let root = "logical volume root-uuid of volume group pve-uuid";
        assert_eq!(named("/dev/pve/root").as_deref(), Ok(root));
        assert_eq!(named("/dev/mapper/pve-root").as_deref(), Ok(root));
        assert_eq!(named("UUID=root-fs").as_deref(), Ok(root));
        let esp = "partition 2 of serial:DISK_A111";
        for name in [
            "UUID=1a2b-3c4d",
            "/dev/disk/by-uuid/1A2B-3C4D",
            "PARTUUID=ESP-A",
            "PARTLABEL=c12a7328-f81f-11d2-ba4b-00a0c93ec93b-a",
            "/dev/disk/by-partlabel/c12a7328-f81f-11d2-ba4b-00a0c93ec93b-a",
            "/dev/disk/by-id/ata-DISK_A111-part2",
        ] {
            assert_eq!(named(name).as_deref(), Ok(esp), "{name}");
        }
    }

    #[test]
    fn a_name_that_does_not_stay_is_refused_with_the_reason() {
        assert!(named("/dev/sda2").unwrap_err().contains("order"));
        assert!(named("UUID=other").unwrap_err().contains("nothing"));
        assert!(named("/dev/disk/by-id/ata-DISK_A111").is_err());
    }

    #[test]
    fn of_two_volumes_of_one_name_it_is_the_one_beside_the_root() {
        let mut storage = zfs();
        for volume in &mut storage.volumes {
            if let storage::Content::Known(known) = &mut volume.content
                && known.kind == "vfat"
            {
                known.uuid = Some("SAME".to_owned());
            }
        }
        let near = |disk: &str| BTreeSet::from([DiskId(disk.to_owned())]);
        let found = volume(&storage, &near("serial:DISK_B222"), "UUID=SAME").unwrap();
        assert_eq!(found.to_string(), "partition 2 of serial:DISK_B222");
        assert!(volume(&storage, &near("serial:OTHER"), "UUID=SAME").is_err());
    }
}
