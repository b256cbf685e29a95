//! What a session does to a card, by the card's own word.

use std::fs;
use std::path::Path;

use cards::{Bar, BarKind, CardProfile, Entry, Region, Touch, profiles};
use qemu_tests::probe::{self, Request};
use qemu_tests::{Boot, Images, Milestone, ServedCard, Stick, baseline, skip};

use crate::lab::{Lab, PROBE, machine, serve};
use crate::session::last_value;

const COMMAND: u64 = 0x04;
const ROM_BAR: u64 = 0x30;
/// What reading a ROM switches on: memory decoding, and the ROM BAR's enable bit.
const MEMORY: u64 = 1 << 1;
const ROM_ENABLE: u64 = 1 << 0;

/// The NVIDIA-like card with every BAR counted: not one can be touched unseen.
fn counted() -> CardProfile {
    profiles::nvidia_gtx650().change(0, |graphics| {
        graphics.bar(1, Bar::new(BarKind::Prefetchable64, 128 << 20))
    })
}

/// Boots these images with the card and a stick until the guest ends; everything that was done to the
/// card from power on to power off.
fn touches(lab: &Lab, name: &str, images: &Images, card: &ServedCard) -> Vec<Entry> {
    let stick = Stick::new(lab.folder()).unwrap();
    let mut run = Boot::new(name, images, machine(&[card]).stick(&stick))
        .deadlines(lab.deadlines)
        .option("preflight.end=poweroff")
        .start(&lab.qemu)
        .unwrap();
    run.wait_milestone(Milestone::Init).unwrap();
    run.wait_end().unwrap();
    drop(run);
    let entries = card.log().entries();
    let ended = |entry: &Entry| matches!(entry.touch, Touch::Disconnected { .. });
    entries.into_iter().filter(|entry| !ended(entry)).collect()
}

/// The same with an init that does nothing.
fn nothing(lab: &Lab, name: &str, kernel: &Path) -> Vec<Entry> {
    let image = lab.folder().join("baseline.img");
    let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
    fs::write(&image, baseline::image(init).unwrap()).unwrap();
    let images = Images {
        kernel: kernel.to_owned(),
        initramfs: image,
    };
    touches(lab, name, &images, &serve(&counted()))
}

/// What stands in `all` between the beginning and the end that it has in common with `baseline`: one guest
/// with one processor does the same things in the same order in every boot.
struct Difference<'a> {
    before: &'a [Entry],
    added: &'a [Entry],
}

fn difference<'a>(all: &'a [Entry], baseline: &[Entry]) -> Difference<'a> {
    let same = |(one, other): &(&Entry, &Entry)| {
        one.function == other.function && one.touch == other.touch
    };
    let beginning = all.iter().zip(baseline).take_while(same).count();
    let left = baseline.len() - beginning;
    let ends = all[beginning..]
        .iter()
        .rev()
        .zip(baseline[beginning..].iter().rev());
    let end = ends.take_while(same).count();
    assert_eq!(end, left, "what a boot does by itself is not all in it");
    Difference {
        before: &all[..beginning],
        added: &all[beginning..all.len() - end],
    }
}

#[test]
fn a_session_touches_no_bar_and_writes_only_what_reading_a_rom_needs() {
    let Some(lab) = Lab::open() else { return };
    let images = match Images::unpacked() {
        Ok(images) => images,
        Err(why) => return skip(&why),
    };
    let baseline = nothing(&lab, "untouched-baseline", &images.kernel);
    let card = serve(&counted());
    let all = touches(&lab, "untouched", &images, &card);
    let difference = difference(&all, &baseline);

    let rom_reads = difference.added.iter().filter_map(Entry::span);
    let rom_reads = rom_reads.filter(|span| span.region == Region::Rom).count();
    assert!(rom_reads > 0, "the session did not read the ROM");
    for entry in difference.added {
        assert!(!entry.is_bar_access(), "{entry}");
        let reset = matches!(entry.touch, Touch::Reset | Touch::FunctionLevelReset);
        assert!(!reset, "{entry}");
    }
    let writes = difference.added.iter().enumerate();
    for (place, entry) in writes.filter(|(_, entry)| matches!(entry.touch, Touch::Write(_))) {
        let written = entry.config_write().unwrap_or_else(|| panic!("{entry}"));
        let switch = match (written.offset, written.length) {
            (ROM_BAR, 4) => ROM_ENABLE,
            (COMMAND, 2) => MEMORY,
            _ => panic!("{entry}"),
        };
        let original = last_value(difference.before, entry.function, written.offset).unwrap();
        assert_eq!((original ^ written.value) & !switch, 0, "{entry}");
        let rest = &difference.added[place..];
        let left = last_value(rest, entry.function, written.offset);
        assert_eq!(left, Some(original), "{entry} is not taken back");
    }
}

#[test]
fn the_main_job_passes_on_a_card_in_software() {
    let Some(lab) = Lab::open() else { return };
    let images = match Images::unpacked() {
        Ok(images) => images,
        Err(why) => return skip(&why),
    };
    let stick = Stick::new(lab.folder()).unwrap();
    let card = serve(&profiles::nvidia_gtx650());
    let mut run = Boot::new("main-job", &images, machine(&[&card]).stick(&stick))
        .deadlines(lab.deadlines)
        .option("preflight.mode=assess")
        .option("preflight.end=poweroff")
        .start(&lab.qemu)
        .unwrap();
    let result = run.result().unwrap();
    run.wait_end().unwrap();

    assert_eq!(result.mode, "assess");
    let cards = result.assessment["cards"].as_array().unwrap();
    let ours = cards
        .iter()
        .find(|card| card["functions"][0] == "0000:01:00.0");
    let ours = ours.unwrap();
    assert_eq!(ours["functions"][1], "0000:01:00.1");
    assert_eq!(ours["verdict"], "ready", "{ours:#}");
    let rom = card.profile().functions[0].option_rom().unwrap();
    let saved = result.saved.as_ref().unwrap();
    let files = saved
        .files
        .iter()
        .filter(|file| file.path.ends_with(".rom"));
    let copies: Vec<_> = files
        .map(|file| {
            stick
                .file(&format!("{}/{}", saved.folder, file.path))
                .unwrap()
        })
        .collect();
    // The kernel ends a ROM at the image that PCIR calls the last; NVIDIA's own image behind it is cut.
    let known = copies.iter().find(|copy| rom.bytes().starts_with(copy));
    assert!(known.is_some(), "{:?}", saved.files);
}

#[test]
fn a_touch_of_a_bar_is_seen() {
    let Some(lab) = Lab::open() else { return };
    let address = "0000:01:00.0";
    let requests = [
        Request::write(address, "enable", "1"),
        Request::memory(address, 0, 0, 4),
    ];
    let images = probe::image(Path::new(PROBE), &requests, lab.folder()).unwrap();
    let baseline = nothing(&lab, "touched-baseline", &images.kernel);
    let all = touches(&lab, "touched", &images, &serve(&counted()));
    let difference = difference(&all, &baseline);
    let bars = difference
        .added
        .iter()
        .filter(|entry| entry.is_bar_access());
    assert_eq!(bars.count(), 1, "{:?}", difference.added);
}
