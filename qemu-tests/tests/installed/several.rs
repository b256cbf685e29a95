use std::collections::BTreeSet;

use qemu_tests::golden::Golden;
use storage::{FileSystemId, Trouble, VolumeId};

use crate::lab::Lab;

#[test]
fn two_groups_pve_and_two_pools_rpool_on_one_machine_are_four_systems() {
    let systems = [
        Golden::LvmExt4Bios,
        Golden::LvmExt4Uefi,
        Golden::ZfsSystemdBoot,
        Golden::ZfsGrub,
    ];
    let Some((lab, installed)) = Lab::with(systems) else {
        return;
    };
    let disks = installed.each_ref().map(|one| one.disks.clone()).concat();
    let found = lab.look("installed-four", &disks, &[]);
    let storage = &found.storage;
    assert_eq!(storage.roots.len(), 4, "{:?}", storage.roots);
    let groups: Vec<_> = storage
        .volume_groups
        .iter()
        .map(|group| &group.name)
        .collect();
    assert_eq!(groups, ["pve", "pve"]);
    let pools: Vec<_> = storage.pools.iter().map(|pool| &pool.name).collect();
    assert_eq!(pools, ["rpool", "rpool"]);
    let identities: BTreeSet<_> = storage.roots.iter().map(|root| &root.file_system).collect();
    assert_eq!(identities.len(), 4);
    for one in &installed {
        let manifest = &one.manifest;
        let root = storage
            .roots
            .iter()
            .position(|root| match &root.file_system {
                FileSystemId::On(VolumeId::LogicalVolume { group, .. }) => manifest
                    .volume_group
                    .as_ref()
                    .is_some_and(|wanted| wanted.uuid == *group),
                FileSystemId::DataSet { pool, .. } => manifest
                    .pool
                    .as_ref()
                    .is_some_and(|wanted| wanted.guid == pool.to_string()),
                _ => false,
            });
        let root = root.unwrap_or_else(|| panic!("{} is not found", manifest.name));
        let host = format!("{}\n", manifest.name);
        assert_eq!(found.file(root, "/etc/hostname"), Some(host.as_str()));
    }
    let closed = |trouble: &Trouble| matches!(trouble, Trouble::LeftAlone { .. });
    assert!(
        storage.troubles.iter().all(closed),
        "{:?}",
        storage.troubles
    );
}
