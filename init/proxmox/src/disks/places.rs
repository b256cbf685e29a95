use storage::{FileSystemId, RootCandidate, Storage, Volume, VolumeId};

use super::{Join, device};
use crate::installation::Installation;

/// What one installed system has on the disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Its root.
    pub root: FileSystemId,
    /// File systems that it mounts, and where.
    pub mounts: Vec<(String, FileSystemId)>,
    /// Its swap space.
    pub swaps: Vec<VolumeId>,
    /// ESPs that proxmox-boot-tool keeps for it, mounted or not.
    pub esps: Vec<VolumeId>,
    /// Volume groups and pools that its storage.cfg names.
    pub stores: Vec<String>,
}

/// What a system has on the disks: by its /etc/fstab, what was joined to its root, and storage.cfg.
pub fn places(
    storage: &Storage,
    root: &RootCandidate,
    joins: &[Join],
    installation: &Installation,
) -> Places {
    let near = storage
        .file_system(&root.file_system)
        .map(|system| storage.disks_of(system))
        .unwrap_or_default();
    let mut mounts: Vec<(String, FileSystemId)> = joins
        .iter()
        .map(|join| (join.mount_point.clone(), join.file_system.clone()))
        .collect();
    let mut swaps = Vec::new();
    for line in &installation.fstab {
        let Ok(volume) = device::volume(storage, &near, &line.device) else {
            continue;
        };
        if line.kind == "swap" {
            swaps.push(volume.clone());
        } else if let Some(system) = device::file_system(storage, volume)
            && line.mount_point != "/"
            && !mounts.iter().any(|(point, _)| *point == line.mount_point)
        {
            mounts.push((line.mount_point.clone(), system.id.clone()));
        }
    }
    let stores = installation.guests.known().into_iter();
    let stores = stores.flat_map(|guests| &guests.stores).flat_map(|store| {
        let pools = store.values("pool").map(|pool| {
            let name = pool.split('/').next().unwrap_or_default();
            name.to_owned()
        });
        pools
            .chain(store.values("vgname").map(str::to_owned))
            .collect::<Vec<_>>()
    });
    Places {
        root: root.file_system.clone(),
        mounts,
        swaps,
        esps: kept_esps(storage, installation),
        stores: stores.collect(),
    }
}

/// The partitions that /etc/kernel/proxmox-boot-uuids names by the volume id of their FAT.
fn kept_esps(storage: &Storage, installation: &Installation) -> Vec<VolumeId> {
    let listed = installation.boot.proxmox_boot_tool.known();
    let ids = listed.into_iter().flatten();
    let volumes = ids.flat_map(|id| {
        let fat = |volume: &&Volume| {
            volume.content.is("vfat")
                && volume
                    .content
                    .signature()
                    .and_then(|known| known.uuid.as_deref())
                    .is_some_and(|uuid| uuid.eq_ignore_ascii_case(id))
        };
        storage.volumes.iter().filter(fat)
    });
    volumes.map(|volume| volume.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sources;
    use crate::disks::testing::{lvm, zfs};
    use crate::disks::uses;
    use crate::files::MemoryFiles;

    fn used(storage: &Storage, files: &MemoryFiles) -> Vec<String> {
        let installation = crate::look(&Sources::new(files));
        let places = places(storage, &storage.roots[0], &[], &installation);
        let uses = uses(storage, &[places]);
        let used = uses.iter().filter(|used| !used.systems.is_empty());
        used.map(|used| format!("{} {}", used.disk, used.purpose))
            .collect()
    }

    #[test]
    fn an_esp_that_only_proxmox_boot_tool_keeps_is_the_systems() {
        let files =
            MemoryFiles::new().file("etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n5e6f-7a8b\n");
        let used = used(&zfs(), &files);
        for disk in ["A111", "B222"] {
            let esp = format!("serial:DISK_{disk} ESP");
            assert_eq!(
                used.iter().filter(|line| **line == esp).count(),
                1,
                "{used:?}"
            );
        }
    }

    #[test]
    fn what_a_mount_unit_mounts_is_the_systems() {
        let unit = "[Mount]\nWhat=PARTLABEL=c12a7328-f81f-11d2-ba4b-00a0c93ec93b-a\nWhere=/efi\n";
        let files = MemoryFiles::new()
            .file("etc/systemd/system/efi.mount", unit)
            .file("etc/systemd/system/local-fs.target.wants/efi.mount", unit);
        let used = used(&lvm(), &files);
        assert!(
            used.contains(&"serial:DISK_A111 ESP".to_owned()),
            "{used:?}"
        );
    }
}
