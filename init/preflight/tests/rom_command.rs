//! `preflight rom` as a person meets it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pci::FunctionId;
use rom_maker::{EfiImage, FileHeader, Image, RomMaker, Trailing};

const CARD: FunctionId = FunctionId::new(0x10de, 0x0fc6);

/// Runs `preflight rom` in a folder.
fn rom(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_preflight"))
        .arg("rom")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn card() -> RomMaker {
    RomMaker::new(CARD)
        .legacy(0x4000)
        .efi(EfiImage::x64().compressed())
}

/// A folder with `card.rom`, `dump.rom` (a flash dump of the same), and `driver.efi`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dump = card().leading(FileHeader::Nvidia(0x600));
    let dump = dump.trailing(Trailing::Padding(0xff, 5000)).build();
    for (name, bytes) in [
        ("card.rom", card().build()),
        ("dump.rom", dump),
        ("driver.efi", EfiImage::x64().pe(1)),
        ("legacy.rom", RomMaker::new(CARD).legacy(0x4000).build()),
        ("nothing.rom", vec![0xff; 5000]),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn show_prints_what_there_is_to_know_of_each_image() {
    let folder = folder();
    let output = rom(folder.path(), &["show", "card.rom"]);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let text = out(&output);
    for part in [
        "2 images (x86, efi): good",
        "Image 1, at 0x0: x86, for a legacy BIOS (type 0)",
        "10de:0fc6, class 030000",
        "16384 bytes, up to 0x4000",
        "PCIR         at 0x40, revision 3, 28 bytes",
        "checksum     right",
        "Image 2, at 0x4000: EFI (type 3)",
        "machine x64 (0x8664), subsystem boot service driver (0x0b), compressed, ",
        "last image   yes",
        "No problem was found.",
    ] {
        assert!(text.contains(part), "'{part}' is missing:\n{text}");
    }
}

#[test]
fn show_as_json_has_the_fields_of_its_contract() {
    let folder = folder();
    let output = rom(folder.path(), &["show", "dump.rom", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "preflight.rom/1");
    assert_eq!(json["leading"], 0x600);
    assert_eq!(json["trailing"]["length"], 5000);
    assert_eq!(json["verdict"], "usable");
    assert_eq!(json["problems"][0]["id"], "rom.leading-data");
    let image = &json["images"][1];
    for (field, value) in [("type", "efi"), ("vendor", "10de"), ("device", "0fc6")] {
        assert_eq!(image[field], value);
    }
    assert_eq!(image["efi"]["machine"], 0x8664);
    assert_eq!(image["efi"]["compressed"], true);
    assert_eq!(image["checksum"], "none");
    assert_eq!(json["images"][0]["checksum"], "ok");
    assert_eq!(image["last"], true);
}

#[test]
fn check_fails_for_a_bad_rom_and_show_does_not() {
    let folder = folder();
    for (file, check) in [("card.rom", 0), ("dump.rom", 0), ("nothing.rom", 1)] {
        let output = rom(folder.path(), &["check", file]);
        assert_eq!(output.status.code(), Some(check), "{file}");
        assert_eq!(rom(folder.path(), &["show", file]).status.code(), Some(0));
    }
    let text = out(&rom(folder.path(), &["check", "nothing.rom"]));
    assert!(text.contains("[rom.all-ones] makes it bad"), "{text}");
    assert!(
        text.contains("What to do: Read it again with the card in D0"),
        "{text}"
    );
}

#[test]
fn another_cards_rom_is_a_warning() {
    let folder = folder();
    let output = rom(
        folder.path(),
        &["check", "card.rom", "--device", "10de:0e1b"],
    );
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    assert!(
        text.contains("good: usable") || text.contains(": usable"),
        "{text}"
    );
    assert!(text.contains("[rom.id-mismatch] usable at best"), "{text}");
}

#[test]
fn unreadable_input_and_bad_usage_end_with_two() {
    let folder = folder();
    for arguments in [
        &["show", "absent.rom"][..],
        &["show", "card.rom", "--device", "10de"],
        &["mend", "card.rom"],
        &["mend", "card.rom", "-o", "card.rom"],
        &["build", "--device", "10de:0fc6", "-o", "x.rom"],
        &[
            "build",
            "--device",
            "10de:0fc6",
            "--compress",
            "--efi",
            "driver.efi",
            "-o",
            "x.rom",
        ],
        &[
            "build",
            "--device",
            "10de:0fc6",
            "--efi",
            "card.rom",
            "-o",
            "x.rom",
        ],
        &[
            "build",
            "--device",
            "10de:0fc6",
            "--efi",
            "driver.efi",
            "--class",
            "3",
            "-o",
            "x.rom",
        ],
    ] {
        let output = rom(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!error(&output).is_empty());
        assert!(!folder.path().join("x.rom").exists(), "{arguments:?}");
    }
    let missing = rom(folder.path(), &["show", "absent.rom"]);
    assert!(error(&missing).contains("absent.rom"));
    assert_eq!(
        fs::read(folder.path().join("card.rom")).unwrap(),
        card().build()
    );
}

#[test]
fn a_driver_that_is_taken_for_a_rom_is_named_with_what_makes_a_rom_of_it() {
    let folder = folder();
    for arguments in [
        &["show", "driver.efi"][..],
        &["check", "driver.efi"],
        &["mend", "driver.efi", "-o", "x.rom"],
    ] {
        let output = rom(folder.path(), arguments);
        let said = out(&output) + &error(&output);
        assert!(
            said.contains("rom build --device VVVV:DDDD --efi driver.efi"),
            "{said}"
        );
    }
    let json = rom(folder.path(), &["check", "driver.efi", "--format", "json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&out(&json)).is_ok());
    let whole = rom(folder.path(), &["check", "card.rom"]);
    assert!(!out(&whole).contains("rom build"));
}

#[test]
fn a_usage_error_quotes_the_usage_of_build_itself() {
    let folder = folder();
    let arguments = "build --device 10de:0fc6 --compress --efi driver.efi -o x.rom";
    let words: Vec<&str> = arguments.split(' ').collect();
    let said = error(&rom(folder.path(), &words));
    assert!(
        said.contains("none is there; write --efi F.efi --compress"),
        "{said}"
    );
    assert!(said.contains("Usage: preflight rom build"), "{said}");
}

#[test]
fn a_folder_in_the_place_of_a_file_or_a_missing_one_is_said_in_plain_words() {
    let folder = folder();
    let said = error(&rom(folder.path(), &["check", "."]));
    assert!(
        said.contains(". is a folder; name the file in it"),
        "{said}"
    );
    let said = error(&rom(folder.path(), &["mend", "card.rom", "-o", "no/x.rom"]));
    assert!(
        said.contains("there is no folder no; make it first"),
        "{said}"
    );
}

#[test]
fn a_rom_that_is_too_small_for_ovmf_is_built_with_a_word_about_it() {
    let folder = folder();
    let driver = EfiImage::x64().data(0x200).pe(1);
    fs::write(folder.path().join("small.efi"), driver).unwrap();
    let length = |arguments: &str| {
        let words: Vec<&str> = arguments.split(' ').collect();
        let output = rom(folder.path(), &words);
        assert_eq!(output.status.code(), Some(0), "{}", error(&output));
        let length = fs::metadata(folder.path().join("x.rom")).unwrap().len();
        let is_told = out(&output).contains("A guest with OVMF does not start anything");
        assert_eq!(is_told, length <= 2048, "{length}: {}", out(&output));
        length
    };
    let plain = length("build --device 10de:0fc6 --efi driver.efi -o x.rom");
    let packed = length("build --device 10de:0fc6 --efi small.efi --compress -o x.rom");
    assert!(packed <= 2048 && plain > 2048, "{packed} and {plain} bytes");
}

#[test]
fn mend_makes_a_cards_rom_of_a_flash_dump_and_says_every_change() {
    let folder = folder();
    let output = rom(folder.path(), &["mend", "dump.rom", "-o", "mended.rom"]);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let text = out(&output);
    assert!(
        text.contains("stripped 1536 bytes before the first image"),
        "{text}"
    );
    assert!(text.contains("cut 5000 bytes of padding"), "{text}");
    assert_eq!(
        fs::read(folder.path().join("mended.rom")).unwrap(),
        card().build()
    );

    let nothing = rom(folder.path(), &["mend", "nothing.rom", "-o", "other.rom"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(!folder.path().join("other.rom").exists());
}

#[test]
fn mend_sets_a_checksum_only_when_asked() {
    let folder = folder();
    let wrong = RomMaker::new(CARD).image(Image::legacy(0x4000).wrong_checksum());
    fs::write(folder.path().join("wrong.rom"), wrong.build()).unwrap();
    let plain = out(&rom(folder.path(), &["mend", "wrong.rom", "-o", "a.rom"]));
    assert!(plain.contains("nothing to mend"), "{plain}");
    assert!(plain.contains("[rom.checksum]"), "{plain}");
    let set = rom(
        folder.path(),
        &["mend", "wrong.rom", "-o", "b.rom", "--checksum"],
    );
    assert!(out(&set).contains("sums to zero"), "{}", error(&set));
    assert!(out(&set).contains("b.rom: 16384 bytes, one image (x86): good"));
}

#[test]
fn build_puts_drivers_and_legacy_images_together_in_their_order() {
    let folder = folder();
    let output = rom(
        folder.path(),
        &[
            "build",
            "--device",
            "1002:164c",
            "--legacy",
            "legacy.rom",
            "--efi",
            "driver.efi",
            "--compress",
            "--efi",
            "driver.efi",
            "--class",
            "030000",
            "--revision",
            "7",
            "-o",
            "out.rom",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let text = out(&output);
    assert!(text.contains("3 images (x86, efi, efi): good"), "{text}");
    assert!(text.contains("legacy.rom is for 10de:0fc6"), "{text}");
    let path: PathBuf = folder.path().join("out.rom");
    let json = rom(
        folder.path(),
        &["show", path.to_str().unwrap(), "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let packed: Vec<_> = [1, 2]
        .map(|at| json["images"][at]["efi"]["compressed"].clone())
        .into();
    assert_eq!(packed, [true, false]);
    assert_eq!(json["images"][1]["device"], "164c");
    assert_eq!(json["images"][2]["class"], "030000");
    assert_eq!(json["images"][2]["pcir"]["vendor_revision"], 7);
}
