use qemu_tests::golden::Golden;
use qemu_tests::storage_guest::Request;

use crate::lab::Lab;
use crate::untouched::sha256;

/// What a look does, with the disks themselves: read-only flags, a volume that comes up, a mount for reading.
const WITHOUT_OVERLAYS: &str = "for disk in /dev/vda /dev/vda?; do blockdev --setro $disk; done; \
    lvm lvchange -qq -ay --config 'activation{udev_sync=0 udev_rules=0 monitoring=0}' pve/root; \
    mkdir -p /mnt/a; mount -o ro /dev/mapper/pve-root /mnt/a; cat /mnt/a/etc/hostname; umount /mnt/a";

#[test]
#[ignore = "takes long: make soak"]
fn every_check_of_the_disks_finds_the_journal_of_ext4_on_lvm_when_there_are_no_overlays() {
    let Some((lab, [installed])) = Lab::with([Golden::LvmExt4Bios]) else {
        return;
    };
    let write =
        "dd if=/dev/urandom of=/root/burst bs=64k count=8 conv=fsync status=none; sync /root";
    let killed = lab.killed_while_writing(&installed, write);
    let disks = lab.overlays("control", &killed);
    let before = sha256(&lab.qemu, &disks[0]);
    let told = lab.ask_on(
        "installed-control",
        &disks,
        &[Request::shell(WITHOUT_OVERLAYS)],
    );
    assert_eq!(told.answers, ["lvm-ext4-bios\n"]);
    assert_eq!(told.harm.counted.len(), 1, "{:?}", told.harm);
    assert_eq!(told.harm.allocated, disks);
    assert_ne!(sha256(&lab.qemu, &disks[0]), before);
}
