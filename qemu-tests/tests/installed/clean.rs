//! Each layout as its own shutdown left it.

use qemu_tests::golden::{Golden, Manifest, Partition};
use qemu_tests::storage_guest::LookAnswer;
use storage::{FileSystemId, Storage, Trouble, Volume, VolumeId};

use crate::lab::Lab;
use crate::untouched::sha256;

fn is_found(golden: Golden) {
    let Some((lab, [installed])) = Lab::with([golden]) else {
        return;
    };
    let name = format!("installed-clean-{}", golden.name());
    let found = lab.look(&name, &installed.disks, &[]);
    is_described(&found, &installed.manifest);
}

/// Holds the only system of a look against its manifest.
pub fn is_described(found: &LookAnswer, manifest: &Manifest) {
    let storage = &found.storage;
    let [root] = storage.roots.as_slice() else {
        panic!("one root: {:?}", storage.roots);
    };
    assert_eq!(root.name.as_deref(), Some(manifest.distribution.as_str()));
    let host = format!("{}\n", manifest.name);
    assert_eq!(found.file(0, "/etc/hostname"), Some(host.as_str()));
    let system = storage.file_system(&root.file_system).unwrap();
    let kind = if manifest.pool.is_some() {
        "zfs"
    } else {
        &system.kind
    };
    assert_eq!(kind, manifest.root_kind);
    assert_eq!(storage.disks.len(), manifest.disks.len());
    for disk in &manifest.disks {
        for partition in &disk.partitions {
            is_partition_found(storage, partition);
        }
    }
    is_group_found(storage, manifest, &root.file_system);
    is_pool_found(storage, manifest, &root.file_system);
    if manifest.volume_group.is_none() {
        assert_eq!(storage.troubles, []);
    }
}

fn is_partition_found(storage: &Storage, wanted: &Partition) {
    let is_it = |volume: &&Volume| matches!(&volume.id, VolumeId::Partition { partuuid, .. } if partuuid.as_deref() == Some(wanted.uuid.as_str()));
    let volume = storage.volumes.iter().find(is_it);
    let volume = volume.unwrap_or_else(|| panic!("no partition {wanted:?}"));
    assert_eq!(volume.size, wanted.bytes, "{wanted:?}");
    assert_eq!(volume.partition_type.as_deref(), Some(wanted.kind.as_str()));
    let holds = volume.content.signature();
    assert_eq!(
        holds.map(|held| (held.kind.as_str(), held.uuid.as_deref())),
        wanted
            .holds
            .as_ref()
            .map(|held| (held.kind.as_str(), held.uuid.as_deref())),
        "{wanted:?}"
    );
}

fn is_group_found(storage: &Storage, manifest: &Manifest, root: &FileSystemId) {
    let Some(wanted) = &manifest.volume_group else {
        assert_eq!(storage.volume_groups, []);
        return;
    };
    let [group] = storage.volume_groups.as_slice() else {
        panic!("one group: {:?}", storage.volume_groups);
    };
    assert_eq!(
        (&group.name, &group.uuid, group.missing),
        (&wanted.name, &wanted.uuid, 0)
    );
    for volume in &wanted.volumes {
        let same = group
            .logical_volumes
            .iter()
            .find(|one| one.uuid == volume.uuid);
        let same = same.unwrap_or_else(|| panic!("no volume {volume:?}"));
        assert_eq!((&same.name, same.size), (&volume.name, volume.bytes));
    }
    let volume = wanted
        .volumes
        .iter()
        .find(|volume| volume.name == "root")
        .unwrap();
    let (group, volume) = (group.uuid.clone(), volume.uuid.clone());
    assert_eq!(
        *root,
        FileSystemId::On(VolumeId::LogicalVolume { group, volume })
    );
    // Only the thin pool and the guest's disk in it stay closed.
    for trouble in &storage.troubles {
        assert!(matches!(trouble, Trouble::LeftAlone { .. }), "{trouble}");
    }
    for name in ["pve/data", "pve/vm-100-disk-0"] {
        let left = |trouble: &Trouble| matches!(trouble, Trouble::LeftAlone { name: left, .. } if left == name);
        assert!(
            storage.troubles.iter().any(left),
            "{name}: {:?}",
            storage.troubles
        );
    }
}

fn is_pool_found(storage: &Storage, manifest: &Manifest, root: &FileSystemId) {
    let Some(wanted) = &manifest.pool else {
        assert_eq!(storage.pools, []);
        return;
    };
    let [pool] = storage.pools.as_slice() else {
        panic!("one pool: {:?}", storage.pools);
    };
    assert_eq!(
        (&pool.name, pool.guid.to_string()),
        (&wanted.name, wanted.guid.clone())
    );
    assert_eq!((pool.state.as_str(), pool.missing), ("ONLINE", 0));
    let name = manifest.root_source.clone();
    assert_eq!(
        *root,
        FileSystemId::DataSet {
            pool: pool.guid,
            name
        }
    );
    for data_set in &wanted.datasets {
        let same = pool.data_sets.iter().any(|one| one.name == *data_set);
        assert!(same, "{data_set}: {pool:?}");
    }
}

#[test]
fn lvm_with_ext4_and_bios() {
    let Some((lab, [installed])) = Lab::with([Golden::LvmExt4Bios]) else {
        return;
    };
    // Of one layout every byte is compared, not what QEMU says about it alone.
    let disks = lab.overlays("all-bytes", &installed.disks);
    let before = sha256(&lab.qemu, &disks[0]);
    let found = lab.look("installed-clean-lvm-ext4-bios", &disks, &[]);
    assert_eq!(sha256(&lab.qemu, &disks[0]), before);
    is_described(&found, &installed.manifest);
}

#[test]
#[ignore = "takes long: make soak"]
fn lvm_with_ext4_and_uefi() {
    is_found(Golden::LvmExt4Uefi);
}

#[test]
#[ignore = "takes long: make soak"]
fn lvm_with_xfs() {
    is_found(Golden::LvmXfsUefi);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror_with_systemd_boot() {
    is_found(Golden::ZfsSystemdBoot);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror_with_grub() {
    is_found(Golden::ZfsGrub);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_btrfs_mirror() {
    is_found(Golden::BtrfsMirror);
}

#[test]
#[ignore = "takes long: make soak"]
fn debian_with_dracut() {
    is_found(Golden::DebianDracut);
}
