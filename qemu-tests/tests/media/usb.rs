use std::fs;
use std::time::Duration;

use qemu_tests::{Iommu, Ovmf};

use crate::lab::{Lab, is_saved_on, machine};

#[test]
fn the_stick_starts_on_bios_looks_with_the_iommu_on_and_saves_its_report() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick(&[]);
    let machine = machine(&stick).iommu(Iommu::Intel {
        interrupt_remapping: true,
    });
    let mut run = lab.start("media-usb-bios", machine);
    lab.choose(&mut run, "");
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_started_with("preflight.mode=assess");
    assert_eq!(seen.result.assessment["iommu"]["active"], "yes");
}

#[test]
fn the_stick_starts_on_uefi_and_its_entry_pristine_leaves_the_picture_alone() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick(&[]);
    let machine = machine(&stick).firmware(Ovmf::obtain(lab.folder()).unwrap());
    let mut run = lab.start("media-usb-uefi", machine);
    lab.choose(&mut run, "v");
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_started_with("preflight.mode=pristine");
    let log = seen.kernel_log(&stick);
    assert!(log.contains("sysfb_init blacklisted"), "{log}");
    assert!(!log.contains("efifb: "), "{log}");
    // OVMF has read the ROMs, and only the EFI stub hands on what firmware has read.
    assert!(log.contains("efi: EFI v"), "{log}");
}

#[test]
fn the_stick_starts_by_itself_with_secure_boot_on_and_microsofts_keys() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick(&[]);
    let firmware = Ovmf::with_secure_boot(lab.folder()).unwrap();
    let mut run = lab.start("media-usb-secure", machine(&stick).firmware(firmware));
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_started_with("preflight.mode=assess");
    let log = seen.kernel_log(&stick);
    assert!(
        log.contains("Kernel is locked down from EFI Secure Boot"),
        "{log}"
    );
}

#[test]
fn a_kernel_that_was_changed_does_not_start_with_secure_boot_on() {
    let Some(lab) = Lab::open() else { return };
    let mut kernel = fs::read(lab.kernel()).unwrap();
    let middle = kernel.len() / 2;
    kernel[middle] ^= 1;
    let changed = lab.folder().join("vmlinuz");
    fs::write(&changed, kernel).unwrap();
    let stick = lab.stick_with_kernel(&changed, &[]);
    let firmware = Ovmf::with_secure_boot(lab.folder()).unwrap();
    let mut run = lab.start("media-usb-changed", machine(&stick).firmware(firmware));
    run.wait_text("bad shim signature", Duration::from_secs(60))
        .unwrap();
    assert_eq!(stick.files().unwrap(), []);
}
