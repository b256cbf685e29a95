use qemu_tests::{Device, Machine};

use crate::lab::{Lab, says};

#[test]
fn an_option_that_nobody_knows_is_named() {
    let Some(lab) = Lab::open() else { return };
    let machine = Machine::q35().display(Device::StandardVga);
    let boot = lab.boot("options-unknown", machine);
    let session = lab.look(boot.option("preflight.colour=blue"));
    assert!(
        says(&session.serial, "unknown option 'preflight.colour=blue'"),
        "{}",
        session.serial
    );
}
