use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use qemu_tests::power_cut::Replay;
use qemu_tests::{Device, Iommu, Machine, Ovmf, Stick, UsbTransport, sha256_of_file};

use crate::first_boot::{Written, judge_states};
use crate::lab::{Lab, Seen, is_saved_on, machine, without_stick};

/// Crash states of the first boot that are judged here; `make soak` judges all.
const STATES: usize = 20;

/// Another stick that was booted once, and a disk cloned from one that was not.
fn other_disks(lab: &Lab, stick: &Stick) -> (Stick, PathBuf) {
    let clone = lab.folder().join("clone.img");
    fs::copy(stick.path(), &clone).unwrap();
    (lab.booted_before(stick.path(), "other.img"), clone)
}

fn boot_of(lab: &Lab, name: &str, machine: Machine, beside: &(Stick, PathBuf)) -> Seen {
    let (other, clone) = beside;
    let image = clone.clone();
    let machine = machine
        .other_stick(other)
        .integrated(Device::Nvme { image })
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        });
    let mut run = lab.start(name, machine);
    lab.choose(&mut run, "");
    lab.finish(&mut run)
}

#[test]
fn the_stick_starts_on_bios_and_its_first_boot_gives_its_results_the_rest_of_it_and_no_other_disk()
{
    let Some(lab) = Lab::open() else { return };
    let written = Written::new(&lab);
    let beside = other_disks(&lab, &written.stick);
    let (other, clone) = &beside;
    let hashes = || [other.path(), clone].map(|path| sha256_of_file(path).unwrap());
    let before = hashes();
    let recording = written.recorded(&lab, "first-boot");
    let machine = without_stick().recorded_stick(&recording, UsbTransport::BulkOnly);
    let seen = boot_of(&lab, "media-usb-bios", machine, &beside);
    let stick = Stick::of_image(recording.common());
    is_saved_on(&stick, &seen.result);
    written.is_sound_and_large(stick.path());
    assert_eq!(hashes(), before);
    seen.was_started_with("preflight.mode=assess");
    assert_eq!(seen.result.assessment["iommu"]["active"], "yes");
    judge_states(
        &lab,
        &written,
        &Replay::of(&recording).unwrap(),
        &seen,
        STATES,
    );
}

#[test]
#[ignore = "takes long: make soak"]
fn a_stick_that_has_grown_is_the_one_that_was_booted_at_its_next_start_too() {
    let Some(lab) = Lab::open() else { return };
    let Written { stick, .. } = Written::new(&lab);
    let beside = other_disks(&lab, &stick);
    let boot = |name| boot_of(&lab, name, machine(&stick), &beside);
    boot("media-usb-first");
    let place = stick.place().unwrap();
    let second = boot("media-usb-second");
    is_saved_on(&stick, &second.result);
    assert!(second.result.saved.unwrap().folder.ends_with("-2"));
    assert_eq!(stick.place().unwrap(), place);
    assert_eq!(beside.0.files().unwrap(), []);
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
    seen.was_locked_down(&stick);
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

/// GRUB 2.12 starts kernels on UEFI by the plain commands, and has other images for BIOS.
#[test]
#[ignore = "takes long: make soak"]
fn a_release_made_of_debian_13_starts_on_bios_and_with_secure_boot_on() {
    let Some(lab) = Lab::open().and_then(|lab| lab.of_debian("trixie")) else {
        return;
    };
    let secure = Ovmf::with_secure_boot(lab.folder()).unwrap();
    for (name, firmware) in [("bios", None), ("secure", Some(secure))] {
        let stick = lab.stick(&[]);
        let is_secure = firmware.is_some();
        let machine = match firmware {
            Some(firmware) => machine(&stick).firmware(firmware),
            None => machine(&stick),
        };
        let mut run = lab.start(&format!("media-trixie-{name}"), machine);
        run.wait_text("GNU GRUB  version 2.12", Duration::from_secs(60))
            .unwrap();
        lab.choose(&mut run, "");
        let seen = lab.finish(&mut run);
        is_saved_on(&stick, &seen.result);
        seen.was_started_with("preflight.mode=assess");
        if is_secure {
            seen.was_locked_down(&stick);
        }
    }
}
