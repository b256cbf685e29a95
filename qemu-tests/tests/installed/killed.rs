//! Systems whose machine was cut off while they wrote.

use qemu_tests::golden::{Golden, Installed};
use qemu_tests::storage_guest::LookAnswer;

use crate::clean::is_described;
use crate::lab::Lab;

/// Fills files and renames one into place, all synced, so that a journal or log tree is never empty.
const WRITE: &str = "dd if=/dev/urandom of=/root/burst-$((n % 16)) bs=64k count=8 conv=fsync status=none; \
    echo $n >/var/tmp/new; sync /var/tmp/new; mv /var/tmp/new /var/tmp/written; sync /var/tmp";
const WRITTEN: &str = "/var/tmp/written";
const HOST_NAME: &str = "/etc/hostname";

fn look_at_killed(golden: Golden, body: &str) -> Option<(Installed, LookAnswer)> {
    let (lab, [installed]) = Lab::with([golden])?;
    let disks = lab.killed_while_writing(&installed, body);
    let name = format!("installed-killed-look-{}", golden.name());
    let found = lab.look(&name, &disks, &[WRITTEN, HOST_NAME]);
    is_described(&found, &installed.manifest);
    Some((installed, found))
}

/// The system recovered inside the overlays: what was synced before the end is there.
fn has_recovered(found: &LookAnswer) {
    let rounds: u32 = found.file(0, WRITTEN).unwrap().trim().parse().unwrap();
    assert!(rounds >= 40, "{rounds}");
    // Without a replay there would be nothing to protect the disks from.
    assert!(found.written_over > 0);
}

#[test]
fn ext4_and_a_thin_pool_that_was_growing() {
    let grow = "dd if=/dev/urandom of=/dev/pve/vm-100-disk-0 bs=64k count=4 seek=$((n * 4)) \
        conv=fsync,notrunc status=none";
    let body = format!("{WRITE}; {grow}");
    let Some((_, found)) = look_at_killed(Golden::LvmExt4Bios, &body) else {
        return;
    };
    has_recovered(&found);
}

#[test]
#[ignore = "takes long: make soak"]
fn xfs() {
    let Some((_, found)) = look_at_killed(Golden::LvmXfsUefi, WRITE) else {
        return;
    };
    has_recovered(&found);
}

#[test]
#[ignore = "takes long: make soak"]
fn btrfs() {
    let Some((_, found)) = look_at_killed(Golden::BtrfsMirror, WRITE) else {
        return;
    };
    has_recovered(&found);
}

#[test]
#[ignore = "takes long: make soak"]
fn zfs() {
    // An import for reading alone replays no intent log: there is a root, with or without the last rounds.
    let Some((installed, found)) = look_at_killed(Golden::ZfsGrub, WRITE) else {
        return;
    };
    let host = format!("{}\n", installed.manifest.name);
    assert_eq!(found.file(0, HOST_NAME), Some(host.as_str()));
}
