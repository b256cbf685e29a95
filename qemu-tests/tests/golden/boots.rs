//! Every installed system starts by itself, from what its firmware finds on its disks.

use std::time::Duration;

use qemu_tests::Boot;
use qemu_tests::golden::{Console, Golden};

use crate::lab::Lab;

/// On the reference machine, some ten times what is seen there.
const TO_LOGIN: Duration = Duration::from_secs(300);

/// Boots the system to its login prompt, logs in, and holds what runs against the manifest.
fn boots(golden: Golden) {
    let Some(lab) = Lab::with(golden) else { return };
    let Some(deadlines) = lab.deadlines() else {
        return;
    };
    let disks = lab
        .installed
        .overlays(lab.folder.path(), &lab.qemu)
        .unwrap();
    let machine = lab.installed.machine(&disks, lab.folder.path()).unwrap();
    let mut run = Boot::from_disk(&format!("golden-boots-{}", golden.name()), machine)
        .deadlines(deadlines)
        .start(&lab.qemu)
        .unwrap();
    let mut console = Console::log_in(&mut run, golden, TO_LOGIN).unwrap();
    let mut ask = |command| console.ask(command).unwrap();
    let manifest = &lab.installed.manifest;
    assert_eq!(ask("uname -r"), manifest.next_kernel);
    assert_eq!(ask("cat /proc/cmdline"), manifest.command_line);
    assert_eq!(ask("findmnt -no FSTYPE /"), manifest.root_kind);
    assert_eq!(ask("systemctl --failed --plain --no-legend"), "");
}

#[test]
#[ignore = "takes long: make soak"]
fn lvm_and_ext4_start_by_bios() {
    boots(Golden::LvmExt4Bios);
}

#[test]
#[ignore = "takes long: make soak"]
fn lvm_and_ext4_start_by_uefi() {
    boots(Golden::LvmExt4Uefi);
}

#[test]
#[ignore = "takes long: make soak"]
fn lvm_and_xfs_start_by_uefi() {
    boots(Golden::LvmXfsUefi);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror_starts_by_systemd_boot() {
    boots(Golden::ZfsSystemdBoot);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror_starts_by_grub_on_an_esp() {
    boots(Golden::ZfsGrub);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_btrfs_mirror_starts_by_bios() {
    boots(Golden::BtrfsMirror);
}

#[test]
#[ignore = "takes long: make soak"]
fn debian_with_dracut_starts_by_uefi() {
    boots(Golden::DebianDracut);
}
