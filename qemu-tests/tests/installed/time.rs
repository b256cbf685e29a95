//! How long the look takes: in guest time, which counts instructions, so that it repeats on any machine.

use std::time::Duration;

use qemu_tests::golden::Golden;
use qemu_tests::{bench, image_with_zfs};

use crate::lab::Lab;
use crate::untouched::Harm;

/// One instruction a nanosecond.
const ALLOWED: Duration = Duration::from_secs(3);

#[test]
fn the_whole_look_at_lvm_and_ext4_takes_less_than_three_seconds_and_writes_nothing() {
    let Some((lab, [installed])) = Lab::with([Golden::LvmExt4Bios]) else {
        return;
    };
    let disks = lab.overlays("time", &installed.disks);
    let machine = installed.machine(&disks, lab.folder()).unwrap();
    let images = image_with_zfs().unwrap();
    let took = bench::look_time(&images, machine, &lab.qemu).unwrap();
    println!("the look: {:.2} s of guest time", took.as_secs_f64());
    assert!(took < ALLOWED, "{took:?}");
    assert_eq!(Harm::default().and_in(&lab.qemu, &disks), Harm::default());
}
