//! Every installed system starts by itself, from what its firmware finds on its disks.

use std::time::Duration;

use qemu_tests::Boot;
use qemu_tests::golden::{Golden, PASSWORD};

use crate::lab::Lab;

/// On the reference machine, some ten times what is seen there.
const TO_LOGIN: Duration = Duration::from_secs(300);
const A_COMMAND: Duration = Duration::from_secs(120);

/// Boots the system to its login prompt, logs in, and holds the mounted root against the manifest.
fn boots(golden: Golden) {
    let Some(lab) = Lab::with(golden) else { return };
    let disks = lab
        .installed
        .overlays(lab.folder.path(), &lab.qemu)
        .unwrap();
    let machine = lab.installed.machine(&disks, lab.folder.path()).unwrap();
    let mut run = Boot::from_disk(&format!("golden-boots-{}", golden.name()), machine)
        .deadlines(lab.deadlines())
        .start(&lab.qemu)
        .unwrap();
    let name = golden.name();
    run.wait_text(&format!("{name} login:"), TO_LOGIN).unwrap();
    run.type_text("root\r").unwrap();
    run.wait_text("Password:", A_COMMAND).unwrap();
    run.type_text(&format!("{PASSWORD}\r")).unwrap();
    run.wait_text(&format!("root@{name}:"), A_COMMAND).unwrap();
    run.type_text("echo ROOT=$(findmnt -no SOURCE,FSTYPE /)=; uname -r\r")
        .unwrap();
    let kernel = lab.installed.manifest.next_kernel.clone();
    run.wait("the release of the next kernel", A_COMMAND, |run| {
        let text = run.serial().text();
        let same = |line: &str| line.trim() == kernel;
        text.lines().any(same).then_some(Ok(()))
    })
    .unwrap();
    let text = run.serial().text().into_owned();
    let root = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ROOT=")?.strip_suffix('='))
        .next_back()
        .unwrap();
    let kind = root.split_whitespace().next_back().unwrap();
    assert_eq!(kind, lab.installed.manifest.root_kind, "{root}");
}

#[test]
fn lvm_and_ext4_start_by_bios() {
    boots(Golden::LvmExt4Bios);
}

#[test]
fn lvm_and_ext4_start_by_uefi() {
    boots(Golden::LvmExt4Uefi);
}

#[test]
fn lvm_and_xfs_start_by_uefi() {
    boots(Golden::LvmXfsUefi);
}

#[test]
fn a_zfs_mirror_starts_by_systemd_boot() {
    boots(Golden::ZfsSystemdBoot);
}

#[test]
fn a_zfs_mirror_starts_by_grub_on_an_esp() {
    boots(Golden::ZfsGrub);
}

#[test]
fn a_btrfs_mirror_starts_by_bios() {
    boots(Golden::BtrfsMirror);
}

#[test]
fn debian_with_dracut_starts_by_uefi() {
    boots(Golden::DebianDracut);
}
