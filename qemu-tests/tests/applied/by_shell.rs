//! A person in the stick's shell, who mounts a system as on a host.

use qemu_tests::golden::Golden;

use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked};

/// Disks are held read-only until somebody says otherwise.
pub const WRITABLE: &str =
    "for disk in /sys/class/block/[snv]*; do blockdev --setrw /dev/${disk##*/}; done";

/// Runs this in the shell, with disks that can be written; each command must succeed.
fn mounts(golden: Golden, commands: &str) {
    let Some(lab) = Lab::with(golden) else { return };
    let disks = lab.disks("by-shell");
    let mut shell = lab.stick("by-shell", &disks);
    let said = asked(&mut shell, &format!("{WRITABLE}; {commands}"), A_CHANGE);
    assert_eq!(said.status, 0, "{}", said.text);
    assert!(said.text.contains("GRUB_CMDLINE_LINUX="), "{}", said.text);
    for complaint in ["modprobe", "failed", "rror"] {
        assert!(!said.text.contains(complaint), "{}", said.text);
    }
    shell.power_off().unwrap();
}

#[test]
#[ignore = "takes long: make soak"]
fn volumes_and_thin_pools_are_activated() {
    mounts(
        Golden::LvmExt4Bios,
        "lvm vgchange -ay pve && test -e /dev/pve/vm-100-disk-0 && mount /dev/pve/root /mnt && \
         cat /mnt/etc/default/grub && umount /mnt && lvm vgchange -an pve",
    );
}

#[test]
#[ignore = "takes long: make soak"]
fn a_pool_is_imported_and_its_root_is_mounted() {
    mounts(
        Golden::ZfsGrub,
        "zpool import -f -N -R /mnt rpool && zfs mount rpool/ROOT/pve-1 && \
         cat /mnt/etc/default/grub && zpool export rpool",
    );
}
