use image_builder::netboot::SCRIPT_FILE;
use qemu_tests::{Device, Stick};

use crate::lab::{Lab, is_saved_on, machine};

#[test]
fn a_machine_without_a_system_boots_by_network_looks_and_saves_its_report_on_a_stick() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let network = Device::NetworkBoot {
        folder: lab.netboot(),
        file: SCRIPT_FILE.to_owned(),
    };
    let machine = machine(&stick).integrated(network);
    let (result, serial) = lab.look("media-netboot-bios", machine);
    println!("{serial}");
    is_saved_on(&stick, &result);
    let command_line = result.assessment["kernel"].to_string();
    assert!(
        command_line.contains("initrd=initramfs.img"),
        "{command_line}"
    );
    assert!(
        command_line.contains("preflight.mode=assess"),
        "{command_line}"
    );
}
