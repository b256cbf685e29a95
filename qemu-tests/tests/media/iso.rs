use std::fs;

use qemu_tests::{Boot, Device, Images, Ovmf, Stick};

use crate::lab::{Iso, Lab, is_saved_on, machine};

#[test]
fn the_cd_starts_on_bios_and_saves_its_report_on_a_stick_beside_it() {
    let Some(lab) = Lab::open() else { return };
    let Some(Iso { image, .. }) = lab.iso() else {
        return;
    };
    let stick = Stick::new(lab.folder()).unwrap();
    let machine = machine(&stick).integrated(Device::SataCd { image });
    let mut run = lab.start("media-cd-bios", machine);
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_started_with("preflight.mode=assess");
}

#[test]
fn the_cd_starts_with_secure_boot_on_and_microsofts_keys() {
    let Some(lab) = Lab::open() else { return };
    let Some(Iso { image, .. }) = lab.iso() else {
        return;
    };
    let stick = Stick::new(lab.folder()).unwrap();
    let machine = machine(&stick)
        .firmware(Ovmf::with_secure_boot(lab.folder()).unwrap())
        .integrated(Device::SataCd { image });
    let mut run = lab.start("media-cd-secure", machine);
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    let log = seen.kernel_log(&stick);
    assert!(
        log.contains("Kernel is locked down from EFI Secure Boot"),
        "{log}"
    );
}

#[test]
fn written_to_a_stick_the_iso_starts_on_bios_and_saves_its_report_there() {
    let Some(lab) = Lab::open() else { return };
    let Some(Iso { image, .. }) = lab.iso() else {
        return;
    };
    let stick = Stick::of_image(&image);
    let mut run = lab.start("media-iso-stick-bios", machine(&stick));
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
}

#[test]
fn written_to_a_stick_the_iso_starts_on_uefi_and_saves_its_report_there() {
    let Some(lab) = Lab::open() else { return };
    let Some(Iso { image, .. }) = lab.iso() else {
        return;
    };
    let stick = Stick::of_image(&image);
    let firmware = Ovmf::obtain(lab.folder()).unwrap();
    let mut run = lab.start("media-iso-stick-uefi", machine(&stick).firmware(firmware));
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
}

/// Ventoy takes kernel and initramfs out of the image and starts them with words of its own; where the image has
/// the marker, the initramfs stays as it is. Of the medium nothing is there afterwards.
#[test]
fn what_ventoy_takes_out_of_the_iso_starts_with_its_words_and_without_the_medium() {
    let Some(lab) = Lab::open() else { return };
    let Some(iso) = lab.iso() else { return };
    assert!(iso.extract("ventoy.dat").is_file());
    let images = Images {
        kernel: iso.extract("boot/vmlinuz"),
        initramfs: iso.extract("boot/initramfs.img"),
    };
    let config = fs::read_to_string(iso.extract("boot/grub/grub.cfg")).unwrap();
    let line = config.lines().find(|line| line.contains("$kernel /"));
    let options = line.unwrap().split_whitespace().skip(2);
    let stick = Stick::new(lab.folder()).unwrap();
    let boot =
        Boot::new("media-ventoy", &images, machine(&stick)).option("ventoy_os=preflight.iso");
    let mut run = lab.run(options.fold(boot, Boot::option));
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_started_with("ventoy_os=preflight.iso");
}
