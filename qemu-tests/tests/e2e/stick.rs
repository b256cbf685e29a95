use proxmox::Systems;
use qemu_tests::stick::State;
use qemu_tests::{Device, Iommu, Machine, Milestone, Port, Stick, sha256_of_file};
use storage::{Content, Volume};

use crate::lab::{Lab, finish, reports, says};

fn machine(lab: &Lab) -> Machine {
    let rom = lab.card_rom.clone();
    Machine::q35()
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        })
        .display(Device::StandardVga)
        .card(Port::RootPort, Device::AtiVga { rom })
}

/// The report is on the screen although nothing could be saved, and `message` says why.
fn is_shown_and_not_saved(lab: &Lab, name: &str, machine: Machine, message: &str) {
    let session = lab.look(lab.boot(name, machine));
    assert_eq!(session.result.saved, None);
    let error = session.result.save_error.unwrap();
    assert!(error.contains(message), "{error}");
    assert!(says(&session.serial, &error), "{}", session.serial);
    assert!(reports(&session.serial, "YES. AMD"), "{}", session.serial);
}

#[test]
fn without_a_stick_the_report_is_shown_and_says_that_none_was_found() {
    let Some(lab) = Lab::open() else { return };
    let message = "no Preflight stick was found";
    is_shown_and_not_saved(&lab, "stick-none", machine(&lab), message);
}

#[test]
fn a_full_stick_is_a_message_and_the_report_is_shown() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::in_state(lab.folder(), State::Full).unwrap();
    let before = stick.files().unwrap();
    is_shown_and_not_saved(&lab, "stick-full", machine(&lab).stick(&stick), "is full");
    assert_eq!(stick.files().unwrap(), before);
    assert_eq!(stick.complaint().unwrap(), None);
}

#[test]
fn a_write_protected_stick_is_a_message_and_the_report_is_shown() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::in_state(lab.folder(), State::ReadOnly).unwrap();
    let machine = machine(&lab).stick(&stick);
    is_shown_and_not_saved(&lab, "stick-protected", machine, "write-protected");
}

#[test]
fn a_stick_of_somebody_else_is_not_ours_and_keeps_its_bytes() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::in_state(lab.folder(), State::OfSomebodyElse).unwrap();
    let before = sha256_of_file(stick.path()).unwrap();
    let message = "no Preflight stick was found";
    is_shown_and_not_saved(&lab, "stick-other", machine(&lab).stick(&stick), message);
    assert_eq!(sha256_of_file(stick.path()).unwrap(), before);
}

#[test]
fn a_stick_pulled_while_it_is_written_is_a_message_and_the_report_is_shown() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let boot = lab.boot("stick-pulled", machine(&lab).stick(&stick));
    let mut run = lab.start(boot.option("preflight.test=slow-save"));
    run.wait_milestone(Milestone::Saving).unwrap();
    run.wait_stick_write().unwrap();
    run.pull_stick().unwrap();
    run.wait_milestone(Milestone::Unsaved).unwrap();
    let session = finish(&mut run).unwrap();
    assert_eq!(session.result.saved, None);
    let error = session.result.save_error.unwrap();
    assert!(!error.contains("no Preflight stick was found"), "{error}");
    assert!(error.contains("the stick was pulled"), "{error}");
    assert!(says(&session.serial, &error), "{}", session.serial);
    assert!(reports(&session.serial, "YES. AMD"), "{}", session.serial);
    let finished = stick.files().unwrap();
    assert!(
        !finished.iter().any(|file| file.path.contains("LAB-0001")),
        "{finished:?}"
    );
}

#[test]
fn a_second_look_leaves_the_first_ones_files_and_gets_a_folder_of_its_own() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let machine = machine(&lab).stick(&stick);
    lab.look(lab.boot("stick-first", machine.clone()));
    let first = stick.files().unwrap();
    let session = lab.look(lab.boot("stick-second", machine));
    assert!(session.result.saved.unwrap().folder.contains("LAB-0001-2"));
    let both = stick.files().unwrap();
    assert!(first.iter().all(|file| both.contains(file)));
    assert_eq!(both.len(), 2 * first.len());
}

/// `gpt::write_disk` gives every first partition this one.
const PARTUUID: &str = "22222222-2222-2222-2222-222222222222";

#[test]
fn results_go_to_the_partition_that_a_person_named() {
    let Some(lab) = Lab::open() else { return };
    let place = Stick::in_state(lab.folder(), State::OfSomebodyElse).unwrap();
    let image = place.path().to_owned();
    let boot = lab
        .boot(
            "data-named",
            machine(&lab).integrated(Device::Nvme { image }),
        )
        .option(&format!("preflight.data=PARTUUID={PARTUUID}"));
    let session = lab.look(boot);
    assert!(says(&session.report(&place), "YES. AMD"));
    assert_eq!(place.complaint().unwrap(), None);
    // The look at the disks, which covers every other partition, has left it alone.
    let systems: Systems = serde_json::from_slice(&session.file(&place, "systems.json")).unwrap();
    let volumes = systems.look.unwrap().storage.volumes;
    let left_alone = |volume: &&Volume| matches!(&volume.content, Content::Unknown(why) if why.contains("results"));
    assert_eq!(volumes.iter().filter(left_alone).count(), 1, "{volumes:?}");
}

#[test]
fn of_two_partitions_with_the_same_name_neither_is_written() {
    let Some(lab) = Lab::open() else { return };
    let [first, second] = ["first", "second"].map(|name| {
        let folder = lab.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        Stick::in_state(&folder, State::OfSomebodyElse).unwrap()
    });
    let hashes = || [&first, &second].map(|disk| sha256_of_file(disk.path()).unwrap());
    let before = hashes();
    let image = |disk: &Stick| disk.path().to_owned();
    let machine = machine(&lab)
        .integrated(Device::Nvme {
            image: image(&first),
        })
        .integrated(Device::VirtioBlock {
            image: image(&second),
        });
    let boot = lab.boot("data-twice", machine);
    let session = lab.look(boot.option(&format!("preflight.data=PARTUUID={PARTUUID}")));
    let error = session.result.save_error.unwrap();
    assert!(error.contains("have the same PARTUUID"), "{error}");
    assert!(says(&session.serial, "Held read-only: nvme0n1, vda"));
    assert_eq!(hashes(), before);
}
