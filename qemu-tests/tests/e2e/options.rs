use std::time::Duration;

use qemu_tests::{Device, Machine, Milestone};

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

#[test]
fn mode_off_loads_no_module_looks_at_nothing_and_ends() {
    let Some(lab) = Lab::open() else { return };
    let machine = Machine::q35().display(Device::StandardVga);
    let mut run = lab.start(lab.boot("mode-off", machine).option("preflight.mode=off"));
    run.wait_end().unwrap();
    let serial = run.serial().spoken();
    assert!(says(&serial, "Preflight 0."), "{serial}");
    assert!(!says(&serial, "Reading option ROMs"), "{serial}");
    assert!(!says(&serial, "Making disks"), "{serial}");
}

#[test]
fn mode_pristine_looks_like_mode_assess() {
    let Some(lab) = Lab::open() else { return };
    let machine = Machine::q35().display(Device::StandardVga);
    let session = lab.look(
        lab.boot("mode-pristine", machine)
            .option("preflight.mode=pristine"),
    );
    let functions = session.result.assessment["functions"].as_array().unwrap();
    assert!(functions.iter().any(|one| one["boot_vga"] == true));
}

#[test]
fn mode_rescue_gives_a_shell_after_the_report() {
    let Some(lab) = Lab::open() else { return };
    let machine = Machine::q35().display(Device::StandardVga);
    let boot = lab
        .boot("mode-rescue", machine)
        .option("preflight.mode=rescue");
    let mut run = lab.start(boot);
    run.wait_milestone(Milestone::Shown).unwrap();
    run.wait_text("preflight# ", Duration::from_secs(20))
        .unwrap();
    run.type_text("exit\r").unwrap();
    run.wait_end().unwrap();
}

#[test]
fn ctrl_alt_del_ends_the_wait_after_a_crash() {
    let Some(lab) = Lab::open() else { return };
    let machine = Machine::q35().display(Device::StandardVga);
    let boot = lab
        .boot("crash-ctrl-alt-del", machine)
        .option("preflight.end=menu")
        .option("preflight.test=crash");
    let mut run = lab.start(boot);
    run.wait_text("r  try again", Duration::from_secs(60))
        .unwrap();
    let key = |code| serde_json::json!({"type": "qcode", "data": code});
    let keys = serde_json::json!({"keys": [key("ctrl"), key("alt"), key("delete")]});
    run.qmp("send-key", keys).unwrap();
    run.wait_end().unwrap();
}
