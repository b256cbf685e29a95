use std::fs;
use std::path::PathBuf;

use qemu_tests::{Boot, Device, Images, Iommu, Ovmf, Stick, sha256_of_file};

use crate::first_boot::Written;
use crate::lab::{Iso, Lab, is_saved_on, machine};

/// The lab, the CD's image and a stick to save on.
fn cd() -> Option<(Lab, PathBuf, Stick)> {
    let lab = Lab::open()?;
    let Iso { image, .. } = lab.iso()?;
    let stick = Stick::new(lab.folder()).unwrap();
    Some((lab, image, stick))
}

#[test]
fn the_cd_starts_on_bios_and_saves_its_report_on_a_stick_beside_it() {
    let Some((lab, image, stick)) = cd() else {
        return;
    };
    let machine = machine(&stick).integrated(Device::SataCd { image });
    let mut run = lab.start("media-cd-bios", machine);
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_started_with("preflight.mode=assess");
}

#[test]
fn the_cd_starts_on_uefi_and_its_entry_iommu_off_predicts_the_groups() {
    let Some((lab, image, stick)) = cd() else {
        return;
    };
    let machine = machine(&stick)
        .firmware(Ovmf::obtain(lab.folder()).unwrap())
        .integrated(Device::SataCd { image })
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        });
    let mut run = lab.start("media-cd-uefi", machine);
    lab.choose(&mut run, "vv");
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    for word in ["intel_iommu=off", "amd_iommu=off"] {
        seen.was_started_with(word);
    }
    let look = &seen.result.assessment;
    assert_eq!(look["iommu"]["active"], "no");
    assert_eq!(look["iommu"]["vendor"], "intel");
    let groups = look["groups"].as_array().unwrap();
    assert!(!groups.is_empty());
    assert!(groups.iter().all(|group| group["source"] == "predicted"));
}

#[test]
fn the_cd_starts_with_secure_boot_on_and_microsofts_keys() {
    let Some((lab, image, stick)) = cd() else {
        return;
    };
    let machine = machine(&stick)
        .firmware(Ovmf::with_secure_boot(lab.folder()).unwrap())
        .integrated(Device::SataCd { image });
    let mut run = lab.start("media-cd-secure", machine);
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_locked_down(&stick);
}

#[test]
fn written_to_a_stick_the_iso_starts_on_bios_and_rescue_saves_its_report_there_and_on_no_other() {
    let Some(lab) = Lab::open() else { return };
    let Some(Iso { image, .. }) = lab.iso() else {
        return;
    };
    let stick = Stick::of_image(&image);
    let other = lab.booted_before(&image, "other.iso");
    let before = sha256_of_file(other.path()).unwrap();
    let machine = machine(&stick).other_stick(&other);
    let mut run = lab.start("media-iso-stick-bios", machine);
    lab.choose(&mut run, "vvv");
    let seen = lab.finish_in_shell(&mut run);
    is_saved_on(&stick, &seen.result);
    assert_eq!(sha256_of_file(other.path()).unwrap(), before);
    seen.was_started_with("preflight.mode=rescue");
    assert_eq!(seen.result.mode, "rescue");
}

#[test]
fn written_to_a_stick_the_iso_starts_on_uefi_and_its_results_get_the_rest_of_the_stick() {
    let Some(lab) = Lab::open() else { return };
    let Some(Iso { image, .. }) = lab.iso() else {
        return;
    };
    let written = Written::of_image(&image);
    let stick = &written.stick;
    let firmware = Ovmf::obtain(lab.folder()).unwrap();
    let other = lab.stick(&[]);
    let before = sha256_of_file(other.path()).unwrap();
    let machine = machine(stick).other_stick(&other).firmware(firmware);
    let mut run = lab.start("media-iso-stick-uefi", machine);
    let seen = lab.finish(&mut run);
    is_saved_on(stick, &seen.result);
    assert_eq!(sha256_of_file(other.path()).unwrap(), before);
    written.is_sound_and_large(stick.path());
    written.judge(stick.path());
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
