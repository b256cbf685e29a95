use qemu_tests::Ovmf;

use crate::lab::{Lab, is_saved_on, machine};

fn options(result: &qemu_tests::RunResult) -> String {
    result.assessment["kernel"].to_string()
}

#[test]
fn the_stick_starts_on_bios_looks_and_saves_its_report() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick(&[]);
    let (result, serial) = lab.look("media-usb-bios", machine(&stick));
    println!("{serial}\n{}", options(&result));
    is_saved_on(&stick, &result);
}

#[test]
fn the_stick_starts_on_uefi_looks_and_saves_its_report() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick(&[]);
    let firmware = Ovmf::obtain(lab.folder()).unwrap();
    let (result, serial) = lab.look("media-usb-uefi", machine(&stick).firmware(firmware));
    println!("{serial}\n{}", options(&result));
    is_saved_on(&stick, &result);
}

#[test]
fn the_stick_starts_with_secure_boot_on_and_microsofts_keys() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick(&[]);
    let firmware = Ovmf::with_secure_boot(lab.folder()).unwrap();
    let (result, serial) = lab.look("media-usb-secure", machine(&stick).firmware(firmware));
    println!("{serial}\n{}", options(&result));
    is_saved_on(&stick, &result);
}
