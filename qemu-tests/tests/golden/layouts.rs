//! The manifest of an installed system says what is on its disks.

use qemu_tests::golden::{Firmware, Golden, Manifest, Partition};

use crate::lab::Lab;

const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";
const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

fn manifest(golden: Golden) -> Option<Manifest> {
    Some(Lab::with(golden)?.installed.manifest)
}

fn holds(partition: &Partition) -> &str {
    let held = partition.holds.as_ref();
    held.map_or("nothing", |held| held.kind.as_str())
}

/// Every disk has the three partitions of Proxmox's installer, the third with `system`.
fn assert_proxmox_partitions(manifest: &Manifest, disks: usize, system: &str) {
    assert_eq!(manifest.disks.len(), disks);
    for disk in &manifest.disks {
        let kinds: Vec<_> = disk.partitions.iter().map(holds).collect();
        assert_eq!(kinds[1..], ["vfat", system], "{disk:?}");
        assert_eq!(disk.partitions[0].kind, BIOS_BOOT);
        assert_eq!(disk.partitions[0].start, 34);
        assert_eq!(disk.partitions[1].kind, ESP);
        assert_eq!(disk.partitions[1].bytes, 512 << 20);
    }
}

#[test]
fn lvm_systems_have_a_volume_group_with_a_thin_pool() {
    for golden in [Golden::LvmExt4Bios, Golden::LvmExt4Uefi, Golden::LvmXfsUefi] {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        assert_proxmox_partitions(&manifest, 1, "LVM2_member");
        let group = manifest.volume_group.unwrap();
        assert_eq!(group.name, "pve");
        let kind = |name: &str| {
            let volume = group.volumes.iter().find(|volume| volume.name == name);
            volume.unwrap().attributes.chars().next().unwrap()
        };
        // lvs(8): - is a plain volume, t a thin pool, V a thin volume.
        assert_eq!(kind("root"), '-');
        assert_eq!(kind("swap"), '-');
        assert_eq!(kind("data"), 't');
        assert_eq!(kind("vm-100-disk-0"), 'V');
        assert_eq!(manifest.root_source, "/dev/mapper/pve-root");
    }
}

#[test]
fn zfs_systems_are_mirrors_that_belong_to_a_host() {
    for golden in [Golden::ZfsSystemdBoot, Golden::ZfsGrub] {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        assert_proxmox_partitions(&manifest, 2, "zfs_member");
        let pool = manifest.pool.as_ref().unwrap();
        assert!(pool.guid.parse::<u64>().unwrap() > 0);
        assert_ne!(pool.host, "00000000");
        assert!(pool.datasets.iter().any(|name| name == "rpool/ROOT/pve-1"));
        // Both halves are of one pool.
        for disk in &manifest.disks {
            let held = disk.partitions[2].holds.as_ref().unwrap();
            assert_eq!(held.uuid.as_deref(), Some(pool.guid.as_str()));
            assert_eq!(held.label.as_deref(), Some("rpool"));
        }
        assert_eq!(manifest.root_source, "rpool/ROOT/pve-1");
    }
}

#[test]
fn the_btrfs_system_is_one_file_system_on_two_disks() {
    let Some(manifest) = manifest(Golden::BtrfsMirror) else {
        return;
    };
    assert_proxmox_partitions(&manifest, 2, "btrfs");
    let uuid = |disk: usize| {
        let held = manifest.disks[disk].partitions[2].holds.as_ref().unwrap();
        held.uuid.clone().unwrap()
    };
    assert_eq!(uuid(0), uuid(1));
    assert_ne!(manifest.disks[0].table, manifest.disks[1].table);
}

#[test]
fn a_pinned_kernel_is_the_next_though_grub_would_prefer_the_other() {
    let Some(manifest) = manifest(Golden::LvmExt4Uefi) else {
        return;
    };
    assert_eq!(manifest.kernels.len(), 2);
    assert!(
        manifest
            .kernels
            .iter()
            .any(|kernel| kernel.contains("cloud"))
    );
    assert!(!manifest.next_kernel.contains("cloud"));
    let pin = "etc/default/grub.d/proxmox-kernel-pin.cfg";
    assert!(manifest.files.contains_key(pin));
}

#[test]
fn each_esp_of_a_mirror_has_what_starts_the_system() {
    for golden in [Golden::ZfsSystemdBoot, Golden::ZfsGrub] {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        assert_eq!(manifest.esps.len(), 2);
        let kernel = &manifest.next_kernel;
        let initrd = &manifest.files[&format!("boot/initrd.img-{kernel}")];
        for esp in &manifest.esps {
            let entry = format!("loader/entries/proxmox-{kernel}.conf");
            assert!(esp.files.contains_key(&entry), "{esp:?}");
            let copy = &esp.files[&format!("EFI/proxmox/{kernel}/initrd.img-{kernel}")];
            assert_eq!(copy, initrd);
            let own = |path: &str| esp.files.get(path);
            let started = own("EFI/BOOT/BOOTX64.EFI").unwrap();
            let loader = match golden {
                Golden::ZfsGrub => own("EFI/proxmox/grubx64.efi"),
                _ => own("EFI/systemd/systemd-bootx64.efi"),
            };
            assert_eq!(Some(started), loader);
            let menu = own("grub/grub.cfg");
            assert_eq!(menu.is_some(), golden == Golden::ZfsGrub);
        }
    }
}

#[test]
fn systems_that_uefi_starts_have_boot_entries_for_files_on_their_esps() {
    for golden in Golden::all() {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        let uefi = golden.firmware() == Firmware::Uefi;
        assert_eq!(manifest.boot_entries.is_empty(), !uefi, "{}", golden.name());
        for entry in &manifest.boot_entries {
            let same = |esp: &&qemu_tests::golden::Esp| esp.partition == entry.partition;
            let esp = manifest.esps.iter().find(same).unwrap();
            let path = entry.file.trim_start_matches('\\').replace('\\', "/");
            assert!(esp.files.contains_key(&path), "{entry:?}");
        }
    }
}

#[test]
fn the_kernel_is_told_which_root_to_mount() {
    for golden in Golden::all() {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        let words = manifest.command_line.split_whitespace();
        let root = words
            .filter_map(|word| word.strip_prefix("root="))
            .next_back();
        let uuid = root.and_then(|root| root.strip_prefix("UUID="));
        match (root, uuid) {
            (Some(_), Some(uuid)) => assert!(manifest.partition(uuid).is_some(), "{uuid}"),
            (Some(root), None) => {
                let source = root.strip_prefix("ZFS=").unwrap_or(root);
                assert_eq!(source, manifest.root_source);
            }
            (None, _) => panic!("{}", manifest.command_line),
        }
    }
}

#[test]
fn no_two_systems_share_an_identity() {
    let mut seen = std::collections::BTreeSet::new();
    for golden in Golden::all() {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        let mut own: Vec<String> = manifest
            .disks
            .iter()
            .map(|disk| disk.table.clone())
            .collect();
        own.extend(manifest.volume_group.map(|group| group.uuid));
        own.extend(manifest.pool.map(|pool| pool.guid));
        for id in own {
            assert!(seen.insert(id.clone()), "{} repeats {id}", golden.name());
        }
    }
}

#[test]
fn each_kernel_has_an_initrd_of_its_own_system() {
    let mut seen = std::collections::BTreeSet::new();
    for golden in Golden::all() {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        for kernel in &manifest.kernels {
            assert!(
                manifest
                    .files
                    .contains_key(&format!("boot/vmlinuz-{kernel}"))
            );
            let initrd = &manifest.files[&format!("boot/initrd.img-{kernel}")];
            assert!(seen.insert(initrd.clone()), "{}", golden.name());
        }
    }
}

#[test]
fn what_is_real_and_what_is_shaped_is_said_of_every_system() {
    for golden in Golden::all() {
        let Some(manifest) = manifest(golden) else {
            return;
        };
        assert_eq!(manifest.name, golden.name());
        let shaped = manifest.packages.contains_key("pve-manager");
        assert_eq!(shaped, golden.is_proxmox());
        let said = manifest
            .shaped
            .iter()
            .any(|words| words.contains("dpkg's status"));
        assert_eq!(said, golden.is_proxmox());
        assert!(!manifest.real.is_empty());
        let dracut = manifest.packages.contains_key("dracut");
        assert_eq!(dracut, golden == Golden::DebianDracut);
    }
}
