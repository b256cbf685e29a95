#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use hardware::{FailureKind, Reading, RomFailure, RomSource};
use pci::ClassCode;
use rom_maker::RomMaker;

use super::*;

const ID: FunctionId = FunctionId::new(0x10de, 0x1c02);

fn at(text: &str) -> Address {
    text.parse().unwrap()
}

fn rom() -> Vec<u8> {
    RomMaker::new(ID).legacy(0x1000).build()
}

/// A machine with one display, which is not the boot display.
fn machine() -> Machine {
    let function = Function {
        id: ID,
        class: ClassCode(0x03_00_00),
        boot_vga: Reading::Known(false),
        ..Function::unknown(at("01:00.0"), "not part of this test")
    };
    Machine {
        functions: vec![function],
        ..Machine::default()
    }
}

fn boot_display() -> Machine {
    let mut machine = machine();
    machine.functions[0].boot_vga = Reading::Known(true);
    machine
}

fn reading(source: RomSource, bytes: Vec<u8>) -> RomReading {
    RomReading {
        address: at("01:00.0"),
        id: None,
        source,
        place: format!("/sys/{}", source.name()),
        taint: (source == RomSource::Shadow).then(|| "the legacy copy".to_owned()),
        bytes: Ok(bytes),
        not_restored: Vec::new(),
    }
}

fn only(machine: &Machine, readings: &[RomReading]) -> DumpedRom {
    let mut dumped = dump(machine, readings);
    assert_eq!(dumped.len(), 1, "{dumped:#?}");
    dumped.remove(0)
}

fn names(dumped: &DumpedRom) -> Vec<&str> {
    dumped.files.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn the_chosen_copy_is_a_rom_the_others_are_bins_and_each_has_its_json() {
    let readings = [
        reading(RomSource::Shadow, rom()),
        reading(RomSource::EfiStub, rom()),
    ];
    let dumped = only(&boot_display(), &readings);
    assert_eq!(
        names(&dumped),
        [
            "0000-01-00.0_10de-1c02_shadow_good-tainted.bin",
            "0000-01-00.0_10de-1c02_shadow_good-tainted.json",
            "0000-01-00.0_10de-1c02_efi-stub_good.rom",
            "0000-01-00.0_10de-1c02_efi-stub_good.json",
        ]
    );
    assert_eq!(
        dumped.advice.line().unwrap(),
        "romfile=0000-01-00.0_10de-1c02_efi-stub_good.rom"
    );
    let sidecar: serde_json::Value = serde_json::from_slice(&dumped.files[3].bytes).unwrap();
    assert_eq!(sidecar["schema"], "preflight.rom/1");
    assert_eq!(sidecar["file"], "0000-01-00.0_10de-1c02_efi-stub_good.rom");
    assert_eq!(sidecar["address"], "0000:01:00.0");
    assert_eq!(
        (&sidecar["vendor"], &sidecar["device"]),
        (&"10de".into(), &"1c02".into())
    );
    assert_eq!(sidecar["provenance"], "/sys/efi-stub");
    assert_eq!(sidecar["size"], 0x1000);
    assert_eq!(sidecar["verdict"], "good");
    assert_eq!(sidecar["chosen"], true);
    assert_eq!(sidecar["images"][0]["type"], "x86");
    assert_eq!(sidecar["copies"][0]["agreement"], "same");
    assert_eq!(
        sidecar["copies"][0]["file"],
        "0000-01-00.0_10de-1c02_shadow_good-tainted.bin"
    );
    let other: serde_json::Value = serde_json::from_slice(&dumped.files[1].bytes).unwrap();
    assert_eq!(other["chosen"], false);
    assert_eq!(other["taint"], "the legacy copy");
}

#[test]
fn a_card_whose_rom_bar_a_guest_can_read_needs_no_file() {
    let dumped = only(&machine(), &[reading(RomSource::RomBar, rom())]);
    assert_eq!(dumped.advice.line(), None);
    assert!(
        dumped
            .advice
            .reason()
            .contains("not the firmware's boot display")
    );
    assert!(matches!(dumped.advice, Advice::NotNeeded(_)));
}

#[test]
fn a_rom_bar_that_lacks_what_the_chosen_copy_has_makes_a_file_needed() {
    let both = RomMaker::new(ID)
        .legacy(0x1000)
        .efi(rom_maker::EfiImage::x64())
        .build();
    let mut cut = both.clone();
    cut.truncate(0x1000);
    let dumped = only(
        &machine(),
        &[
            reading(RomSource::RomBar, cut),
            reading(RomSource::EfiStub, both),
        ],
    );
    assert!(dumped.advice.line().unwrap().contains("efi-stub"));
    let vfct = only(&machine(), &[reading(RomSource::Vfct, rom())]);
    assert!(vfct.advice.reason().contains("ROM BAR gives no ROM"));
}

#[test]
fn a_bad_or_a_tainted_copy_is_saved_and_no_line_offers_it() {
    let mut cut = rom();
    cut.truncate(0x800);
    let bad = only(&machine(), &[reading(RomSource::RomBar, cut)]);
    assert_eq!(
        bad.chosen_file.as_deref(),
        Some("0000-01-00.0_10de-1c02_rom-bar_bad.rom")
    );
    assert!(matches!(bad.advice, Advice::Missing(_)), "{:?}", bad.advice);
    let tainted = only(&boot_display(), &[reading(RomSource::Shadow, rom())]);
    assert!(tainted.chosen_file.is_some());
    assert!(
        matches!(tainted.advice, Advice::Missing(_)),
        "{:?}",
        tainted.advice
    );
}

#[test]
fn a_function_that_is_not_there_is_dumped_under_the_ids_that_firmware_names() {
    let mut absent = reading(RomSource::Vfct, rom());
    absent.address = at("07:00.0");
    absent.id = Some(FunctionId::new(0x1002, 0x1638));
    let mut other_ids = reading(RomSource::EfiStub, rom());
    other_ids.id = Some(FunctionId::new(0x10de, 0x9999));
    let dumped = dump(&machine(), &[absent, other_ids]);
    assert_eq!(dumped.len(), 2);
    assert!(dumped.iter().all(|rom| !rom.is_present));
    assert_eq!(
        names(&dumped[0])[0],
        "0000-01-00.0_10de-9999_efi-stub_usable.rom"
    );
    assert_eq!(
        names(&dumped[1])[0],
        "0000-07-00.0_1002-1638_vfct_usable.rom"
    );
}

#[test]
fn two_copies_from_the_same_source_have_two_names() {
    let mut second = reading(RomSource::Vfct, rom());
    second.place.push_str(", image at 0x2000");
    let dumped = only(&machine(), &[reading(RomSource::Vfct, rom()), second]);
    let mut names = names(&dumped);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn a_function_without_a_copy_has_no_file_and_every_reason() {
    let mut failed = reading(RomSource::RomBar, Vec::new());
    failed.bytes = Err(RomFailure {
        kind: FailureKind::Asleep,
        why: "it sleeps".to_owned(),
    });
    let dumped = only(&machine(), &[failed]);
    assert!(dumped.files.is_empty() && dumped.choice.is_none());
    assert_eq!(dumped.failures, [("the ROM BAR", "it sleeps".to_owned())]);
}
