use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use qemu_tests::{Device, Iommu, Ovmf, Stick, sha256_of_file};
use storage::Growth;

use crate::lab::{Lab, Seen, is_saved_on, machine};

/// Bytes of a stick that the image is much smaller than.
const STICK: u64 = 300 << 20;

/// A stick that the image was written to, another one that has been booted once, and a disk cloned from the first.
fn sticks(lab: &Lab) -> (Stick, Stick, PathBuf) {
    let stick = lab.stick(&[]);
    let image = File::options().write(true).open(stick.path()).unwrap();
    image.set_len(STICK).unwrap();
    let [other, clone] = ["other.img", "clone.img"].map(|name| {
        let path = lab.folder().join(name);
        fs::copy(stick.path(), &path).unwrap();
        path
    });
    let grown = storage::grow_disk(&other, &mut |_, _| Ok(())).unwrap();
    assert!(matches!(grown, Growth::Grown(_)));
    (stick, Stick::of_image(&other), clone)
}

fn boot_of(lab: &Lab, name: &str, sticks: &(Stick, Stick, PathBuf)) -> Seen {
    let (stick, other, clone) = sticks;
    let image = clone.clone();
    let machine = machine(stick)
        .other_stick(other)
        .integrated(Device::Nvme { image })
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        });
    let mut run = lab.start(name, machine);
    lab.choose(&mut run, "");
    lab.finish(&mut run)
}

fn is_sound_and_large(stick: &Stick) {
    let place = stick.place().unwrap();
    assert!(place.len() as u64 > STICK / 2, "{place:?}");
    assert!(place.end as u64 > STICK - (2 << 20), "{place:?}");
    let said = Command::new("sgdisk").arg("-v").arg(stick.path()).output();
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    assert!(said.contains("No problems found"), "{said}");
}

#[test]
fn the_stick_starts_on_bios_and_its_first_boot_gives_its_results_the_rest_of_it_and_no_other_disk()
{
    let Some(lab) = Lab::open() else { return };
    let sticks = sticks(&lab);
    let (stick, other, clone) = &sticks;
    let hashes = || [other.path(), clone].map(|path| sha256_of_file(path).unwrap());
    let before = hashes();
    let seen = boot_of(&lab, "media-usb-bios", &sticks);
    is_saved_on(stick, &seen.result);
    is_sound_and_large(stick);
    assert_eq!(hashes(), before);
    seen.was_started_with("preflight.mode=assess");
    assert_eq!(seen.result.assessment["iommu"]["active"], "yes");
}

#[test]
#[ignore = "takes long: make soak"]
fn a_stick_that_has_grown_is_the_one_that_was_booted_at_its_next_start_too() {
    let Some(lab) = Lab::open() else { return };
    let sticks = sticks(&lab);
    let (stick, other, _) = &sticks;
    boot_of(&lab, "media-usb-first", &sticks);
    let place = stick.place().unwrap();
    let second = boot_of(&lab, "media-usb-second", &sticks);
    is_saved_on(stick, &second.result);
    assert!(second.result.saved.unwrap().folder.ends_with("-2"));
    assert_eq!(stick.place().unwrap(), place);
    assert_eq!(other.files().unwrap(), []);
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
#[ignore = "takes long: make soak"]
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
