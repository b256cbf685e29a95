use std::fs;

use qemu_tests::{Device, Disk, Images, Iommu, Machine, Milestone, Port, Run, Stick, initramfs};
use serde_json::json;

use crate::lab::{A_MOMENT, Lab, finish, reports, says};

fn machine(lab: &Lab, stick: &Stick) -> Machine {
    let rom = lab.card_rom.clone();
    Machine::q35()
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        })
        .display(Device::StandardVga)
        .card(Port::RootPort, Device::AtiVga { rom })
        .stick(stick)
}

/// Waits until the end of the session is told on both consoles and another try is offered.
fn is_told_everywhere(run: &mut Run, words: &str) {
    run.wait_text(words, A_MOMENT * 3).unwrap();
    run.wait_text("try again", A_MOMENT).unwrap();
    run.wait_screen(words, A_MOMENT).unwrap();
    run.wait_screen("try again", A_MOMENT).unwrap();
}

/// In the shell that is offered there is the first report.
fn has_kept_a_report(run: &mut Run) {
    is_told_everywhere(run, "What was known until then");
    run.type_text("s").unwrap();
    run.wait_text("preflight# ", A_MOMENT).unwrap();
    run.type_text("cat /run/preflight/report.txt; exit\r")
        .unwrap();
    for words in [
        "From before disks and keyboards",
        "  board     Preflight Lab Q35",
    ] {
        run.wait_text(words, A_MOMENT).unwrap();
    }
    // Typed before the question stands again, it would be lost.
    let asked_twice = |run: &mut Run| {
        let asked = run.serial().text().matches("try again").count();
        (asked > 1).then_some(Ok(()))
    };
    run.wait("the question again", A_MOMENT, asked_twice)
        .unwrap();
}

/// `meanwhile`: what is done before the other try.
fn told_and_tried_again(
    name: &str,
    option: &str,
    before: Milestone,
    words: &[&str],
    meanwhile: fn(&mut Run),
) {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let boot = lab.boot(name, machine(&lab, &stick)).option(option);
    let mut run = lab.start(boot);
    run.wait_milestone(before).unwrap();
    for words in words {
        is_told_everywhere(&mut run, words);
    }
    meanwhile(&mut run);
    run.type_text("r").unwrap();
    run.wait_milestone(Milestone::Session).unwrap();
    let session = finish(&mut run).unwrap();
    assert!(reports(&session.serial, "YES. AMD"), "{}", session.serial);
    assert!(session.result.saved.is_some());
}

#[test]
fn a_session_that_crashes_is_told_on_every_console_and_can_be_tried_again() {
    told_and_tried_again(
        "trouble-crash",
        "preflight.test=crash",
        Milestone::Read,
        &["Preflight stopped unexpectedly"],
        has_kept_a_report,
    );
}

#[test]
fn a_first_process_that_panics_is_told_on_every_console_and_starts_again() {
    told_and_tried_again(
        "trouble-panic-init",
        "preflight.test=panic-init",
        Milestone::Init,
        &["Preflight's first process met an error in itself"],
        |_| {},
    );
}

#[test]
fn a_session_that_panics_is_told_on_every_console_and_can_be_tried_again() {
    told_and_tried_again(
        "trouble-panic",
        "preflight.test=panic",
        Milestone::Read,
        &[
            "Preflight met an error in itself",
            "Preflight stopped unexpectedly",
        ],
        |_| {},
    );
}

#[test]
fn disks_that_hang_keep_neither_the_stick_nor_other_disks_nor_the_keyboard_nor_the_end_away() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let disk = |name| Disk::blank(lab.folder(), name).unwrap().path().to_owned();
    let machine = machine(&lab, &stick)
        .integrated(Device::HangingScsiDisk {
            image: disk("scsi"),
        })
        .integrated(Device::HangingDisk {
            image: disk("virtio"),
        })
        .integrated(Device::Nvme {
            image: disk("nvme"),
        });
    let boot = lab.boot("trouble-hanging", machine);
    let mut run = lab.start(boot.option("preflight.end=menu"));
    run.wait_milestone(Milestone::Shown).unwrap();
    let result = run.result().unwrap();
    let serial = run.serial().spoken();
    for words in [
        "/dev/vda does not answer",
        "(QEMU HARDDISK) does not answer",
        "Held read-only: nvme0n1",
    ] {
        assert!(says(&serial, words), "no '{words}' in {serial}");
    }
    assert!(
        !says(&serial, "could not be looked at"),
        "the other disk was looked at: {serial}"
    );
    assert!(reports(&serial, "YES. AMD"), "{serial}");
    assert!(result.saved.is_some(), "{serial}");
    // On the screen, by the keyboard.
    run.wait_screen("p  power off", A_MOMENT).unwrap();
    let press = |run: &mut Run, key: &str| {
        let key = json!({"keys": [{"type": "qcode", "data": key}]});
        run.qmp("send-key", key).unwrap();
    };
    press(&mut run, "p");
    run.wait_text("Switching off", A_MOMENT).unwrap();
    run.wait_milestone(Milestone::End).unwrap();
    run.wait_text("Waiting for disks", A_MOMENT).unwrap();
    // The kernel itself waits for the disk, too.
    run.wait_screen("press b to restart it at once", A_MOMENT * 3)
        .unwrap();
    press(&mut run, "b");
    run.wait_end().unwrap();
}

#[test]
#[ignore = "takes long: make soak"]
fn a_session_that_crashes_beside_a_disk_that_hangs_is_told_of_and_tried_again() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let disk = Disk::blank(lab.folder(), "hangs").unwrap();
    let image = disk.path().to_owned();
    let machine = machine(&lab, &stick).integrated(Device::HangingDisk { image });
    let boot = lab.boot("trouble-hanging-crash", machine);
    let boot = boot.option("preflight.test=crash");
    let mut run = lab.start(boot.option("preflight.end=menu"));
    run.wait_milestone(Milestone::Read).unwrap();
    is_told_everywhere(&mut run, "Preflight stopped unexpectedly");
    run.type_text("r").unwrap();
    // The next session has a thread of the first one beside it, which has the lab's port open for ever.
    run.wait_milestone(Milestone::Shown).unwrap();
    let serial = run.serial().spoken();
    assert!(reports(&serial, "YES. AMD"), "{serial}");
    for words in ["/dev/vda does not answer", "Saved on the stick"] {
        assert!(says(&serial, words), "no '{words}' in {serial}");
    }
}

#[test]
fn an_image_without_modules_says_so_and_still_reports() {
    let Some(lab) = Lab::open() else { return };
    let image = fs::read(&lab.images.initramfs).unwrap();
    let mut entries = initramfs::read(&image).unwrap();
    let before = entries.len();
    entries.retain(|entry| !entry.name.starts_with("lib/modules/"));
    assert!(entries.len() < before);
    let images = Images {
        initramfs: lab.folder().join("without-modules.img"),
        ..lab.images.clone()
    };
    fs::write(&images.initramfs, initramfs::write(&entries).unwrap()).unwrap();

    let stick = Stick::new(lab.folder()).unwrap();
    let boot = qemu_tests::Boot::new("trouble-modules", &images, machine(&lab, &stick))
        .deadlines(lab.deadlines)
        .option("preflight.end=poweroff");
    let mut run = lab.start(boot);
    // Without modules there is no event port either: the serial line tells.
    run.wait_milestone(Milestone::Shown).unwrap();
    run.wait_end().unwrap();
    let serial = run.serial().spoken();
    assert!(says(&serial, "no module can be loaded"), "{serial}");
    assert!(says(&serial, "no Preflight stick was found"), "{serial}");
    assert!(reports(&serial, "0000:01:00.0"), "{serial}");
}

#[test]
fn without_sys_firmware_it_is_said_that_the_firmwares_tables_were_not_read() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let boot = lab.boot("trouble-firmware", machine(&lab, &stick));
    let session = lab.look(boot.option("preflight.test=no-firmware"));
    assert!(says(&session.serial, "/sys/firmware"), "{}", session.serial);
    let firmware = &session.result.assessment["iommu"]["firmware"];
    assert_ne!(firmware, "no", "{:#}", session.result.assessment["iommu"]);
    assert!(session.result.saved.is_some());
}

#[test]
fn a_kernel_without_acpi_still_gets_to_a_report() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let mut run = lab.start(
        lab.boot("trouble-acpi", machine(&lab, &stick))
            .option("acpi=off"),
    );
    run.wait_milestone(Milestone::Shown).unwrap();
    let serial = run.serial().spoken();
    assert!(reports(&serial, "0000:01:00.0"), "{serial}");
    // Without ACPI the kernel cannot switch the machine off; it says so and stops.
}
