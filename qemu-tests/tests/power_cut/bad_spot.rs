use std::fs;

use qemu_tests::power_cut::{FailingDisk, Fault};
use qemu_tests::{Device, Machine};

use crate::lab::Lab;

/// Block 2 of 4096 bytes lies on a bad spot; every other write arrives.
fn fails_with(name: &str, fault: Fault, errno: i32) {
    let Some(lab) = Lab::open() else { return };
    let image = lab.blank("disk", 4 << 20);
    let disk = FailingDisk::new(&image, 2 * 8 + 3, fault);
    let machine = Machine::q35().integrated(Device::Failing(disk));
    let said = lab.write(name, "bad-spot", machine);
    for (block, errno) in [(0, 0), (1, 0), (2, errno), (3, 0)] {
        assert!(
            said.contains(&format!("block {block}: {errno}\n")),
            "{said}"
        );
    }
    let bytes = fs::read(&image).unwrap();
    let written = |block: usize| bytes[block * 4096..][..4096].iter().all(|byte| *byte == 7);
    assert_eq!([0, 1, 2, 3].map(written), [true, true, false, true]);
}

#[test]
fn a_medium_error_reaches_the_program_that_writes() {
    fails_with("fail-error", Fault::Error, nix::libc::EIO);
}

#[test]
fn a_medium_without_room_says_so_to_the_program_that_writes() {
    fails_with("fail-no-space", Fault::NoSpace, nix::libc::ENOSPC);
}
