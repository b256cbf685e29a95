//! ROMs that Debian packages carry, from a folder of fixtures beside the repository.

#![allow(clippy::panic)]

use std::fmt::Write as _;
use std::path::Path;

use option_rom::{Image, Rom, Verdict};

const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/fixtures/rom/free"
);

const NAMES: [&str; 8] = [
    "efi-e1000.rom",
    "linuxboot.bin",
    "pxe-e1000.rom",
    "pxe-ne2k_pci.rom",
    "vgabios-cirrus.bin",
    "vgabios-isavga.bin",
    "vgabios-ramfb.bin",
    "vgabios-stdvga.bin",
];

fn line(image: &Image) -> String {
    let mut text = format!(
        "{:#08x} {:>6} {} {}:{} {} rev {} vendor rev {:#06x} sum {:?} last {} devices {}",
        image.offset,
        image.length,
        image.kind,
        image.vendor,
        image.device,
        image.class,
        image.pcir.revision,
        image.pcir.vendor_revision,
        image.checksum,
        image.last,
        image.pcir.devices.len(),
    );
    if let Some(efi) = &image.efi {
        let machine = efi.machine_name().unwrap_or("?");
        let subsystem = efi.subsystem_name().unwrap_or("?");
        let _ = write!(
            text,
            " {machine}, {subsystem}, compressed {}",
            efi.compressed
        );
    }
    text
}

fn table(rom: &Rom) -> String {
    let mut text = format!("{:?}, trailing {:?}\n", rom.verdict, rom.trailing);
    for image in &rom.images {
        let _ = writeln!(text, "  {}", line(image));
    }
    for problem in &rom.problems {
        let _ = writeln!(text, "  {}: {}", problem.id, problem.detail);
    }
    text
}

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(FOLDER).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixtures_are_there() -> bool {
    let there = Path::new(FOLDER).is_dir();
    if !there {
        println!("skipped: {FOLDER} is not there");
    }
    there
}

#[test]
fn a_free_rom_that_is_cut_is_never_good() {
    if !fixtures_are_there() {
        return;
    }
    for name in NAMES {
        let whole = read(name);
        for length in (0..whole.len()).step_by(509) {
            let cut = whole.get(..length).unwrap_or_default();
            assert_ne!(
                Rom::parse(cut).verdict,
                Verdict::Good,
                "{name} cut to {length}"
            );
        }
    }
}

#[test]
fn free_roms_have_the_images_that_they_should_have() {
    if !fixtures_are_there() {
        return;
    }
    let mut text = String::new();
    for name in NAMES {
        let _ = write!(text, "{name}: {}", table(&Rom::parse(&read(name))));
    }
    insta::assert_snapshot!(text);
}
