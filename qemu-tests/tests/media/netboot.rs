use image_builder::netboot::SCRIPT_FILE;
use qemu_tests::{Device, Stick};

use crate::lab::{Lab, is_saved_on, machine};

#[test]
fn a_machine_boots_by_network_looks_and_saves_its_report_on_a_stick_in_it() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let network = Device::NetworkBoot {
        folder: lab.netboot(),
        file: SCRIPT_FILE.to_owned(),
    };
    let mut run = lab.start("media-netboot-bios", machine(&stick).integrated(network));
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    for word in ["preflight.mode=assess", "initrd=initramfs.img"] {
        seen.was_started_with(word);
    }
}
