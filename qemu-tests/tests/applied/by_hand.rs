//! A person at the console of the stick, who gives a card away by the menu.

use std::path::PathBuf;
use std::time::Duration;

use qemu_tests::golden::Golden;
use qemu_tests::{Boot, Images, Milestone, Outcome, Run, Stick};

use crate::lab::Lab;
use crate::round_trip::A_CHANGE;

/// On the reference machine, some ten times what is seen there.
const AN_ANSWER: Duration = Duration::from_secs(200);
/// Of the screen that a person has at least.
const COLUMNS: usize = 80;

const MENU: &str = "a  give a card to a guest";
const ANSWER: &str = "Your answer: ";

/// Waits until these words were printed so often.
fn printed(run: &mut Run, words: &str, times: usize, patience: Duration) {
    let patience = run.deadlines().of(patience);
    let seen = |run: &mut Run| {
        let count = run.serial().spoken().matches(words).count();
        (count >= times).then_some(Ok::<(), Outcome>(()))
    };
    run.wait(&format!("'{words}', {times} times"), patience, seen)
        .unwrap();
}

/// The display of the machine itself, which the menu offers too.
const OWN_DISPLAY: &str = "0000:00:02.0";
/// The lab's card.
const CARD: &str = "0000:02:00.0";

/// The menu of a stick in the machine of the system with these disks, in which the card at this address and a guest
/// are chosen.
fn chosen(lab: &Lab, disks: &[PathBuf], card: &str) -> Run {
    let stick = Stick::new(lab.folder()).unwrap();
    let machine = lab.stick_machine(disks).stick(&stick);
    let boot = Boot::new(&lab.name("by-hand"), &Images::unpacked().unwrap(), machine);
    let mut run = boot.deadlines(lab.patient()).start(&lab.qemu).unwrap();
    run.wait_milestone(Milestone::Settled).unwrap();
    printed(&mut run, MENU, 1, A_CHANGE);
    run.type_text("a").unwrap();
    printed(&mut run, "Its number, or nothing for none: ", 1, AN_ANSWER);
    let spoken = run.serial().spoken();
    let (_, offered) = spoken.split_once("Which card is to be given").unwrap();
    let words = offered.lines().map(|line| line.split_whitespace());
    let mut numbers = words.filter_map(|mut words| Some((words.next()?, words.next()?)));
    let (number, _) = numbers.find(|(_, address)| *address == card).unwrap();
    run.type_text(&format!("{number}\r")).unwrap();
    printed(&mut run, "leave all guests as they are: ", 1, AN_ANSWER);
    run.type_text("102\r").unwrap();
    run
}

#[test]
#[ignore = "takes long: make soak"]
fn whose_systems_tools_are_gone_is_asked_whether_it_is_to_be_tried_without() {
    let Some(lab) = Lab::with(Golden::LvmExt4Bios) else {
        return;
    };
    let disks = lab.disks("by-hand-broken");
    let gone = "/usr/sbin/update-grub /usr/sbin/update-initramfs";
    let broken = lab.start("broken", &disks, &[format!("rm {gone}; sync; ls {gone}")]);
    assert_eq!(broken.answers, [""], "all of it was there");
    let mut run = chosen(&lab, &disks, CARD);
    printed(&mut run, ANSWER, 1, A_CHANGE);
    printed(
        &mut run,
        "Try it without the system's own tools?",
        1,
        AN_ANSWER,
    );
    run.type_text("yes\r").unwrap();
    printed(&mut run, ANSWER, 2, A_CHANGE);
    printed(&mut run, "Write this to the disks?", 1, AN_ANSWER);
    run.type_text("yes\r").unwrap();
    printed(
        &mut run,
        "Done, and read again: it is as planned.",
        1,
        A_CHANGE,
    );
    printed(&mut run, MENU, 2, AN_ANSWER);
    run.type_text("p").unwrap();
    run.wait_end().unwrap();
    let started = lab.start("by-hand-given-away", &disks, &[]);
    assert_eq!(started.drivers(), [Some("vfio-pci"); 2]);
}

#[test]
#[ignore = "takes long: make soak"]
fn the_menu_asks_for_a_card_and_a_guest_shows_what_comes_of_it_and_writes_only_when_told() {
    let Some(lab) = Lab::with(Golden::LvmExt4Bios) else {
        return;
    };
    let disks = lab.disks("by-hand");
    let mut run = chosen(&lab, &disks, OWN_DISPLAY);
    printed(&mut run, ANSWER, 1, A_CHANGE);
    run.type_text("y\r").unwrap();
    printed(&mut run, ANSWER, 2, AN_ANSWER);
    run.type_text("show\r").unwrap();
    printed(&mut run, "-- page 1 of ", 1, AN_ANSWER);
    run.type_text("\r").unwrap();
    printed(&mut run, "-- page 2 of ", 1, AN_ANSWER);
    run.type_text("q\r").unwrap();
    printed(&mut run, ANSWER, 3, AN_ANSWER);
    run.type_text("no\r").unwrap();
    printed(&mut run, "Nothing was written.", 1, AN_ANSWER);
    printed(&mut run, MENU, 2, AN_ANSWER);

    let spoken = run.serial().spoken();
    let (_, dialogue) = spoken.split_once(MENU).unwrap();
    println!("{dialogue}");
    let disk = dialogue.split("0000:00:05.0").nth(1).unwrap();
    let disk = disk.split_once("0000:00:1f.2").unwrap().0;
    assert!(disk.contains(": blocked"), "the root is on it: {disk}");
    let reasons = dialogue.lines().filter(|line| line.starts_with('#'));
    assert!(reasons.clone().count() > 3, "{dialogue}");
    for line in reasons {
        assert!(line.trim_end().chars().count() < COLUMNS, "{line}");
    }
    run.type_text("p").unwrap();
    run.wait_end().unwrap();
}

#[test]
#[ignore = "takes long: make soak"]
fn the_firmwares_display_is_given_with_the_clean_copy_of_its_rom_when_that_is_wanted() {
    let Some(lab) = Lab::with(Golden::LvmExt4Uefi) else {
        return;
    };
    let disks = lab.disks("by-hand-rom");
    let mut run = chosen(&lab, &disks, OWN_DISPLAY);
    printed(&mut run, "yes or no: ", 1, AN_ANSWER);
    run.type_text("yes\r").unwrap();
    printed(&mut run, ANSWER, 1, A_CHANGE);
    let spoken = run.serial().spoken();
    println!("{spoken}");
    assert!(spoken.contains("A clean one was read from"), "{spoken}");
    let line = spoken.lines().find(|line| line.starts_with("+hostpci0:"));
    let (_, file) = line.unwrap().split_once("romfile=").unwrap();
    let file = file.split([',', '\r']).next().unwrap();
    let written = format!("/usr/share/kvm/{file}: new, ");
    assert!(spoken.contains(&written), "{written}");
    run.type_text("no\r").unwrap();
    printed(&mut run, "Nothing was written.", 1, AN_ANSWER);
    printed(&mut run, MENU, 2, AN_ANSWER);
    run.type_text("p").unwrap();
    run.wait_end().unwrap();
}
