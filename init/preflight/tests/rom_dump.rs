//! `rom dump` as a person meets it, on a copied machine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pci::FunctionId;
use rom_maker::{EfiImage, RomMaker};
use tempfile::TempDir;

const CARD: FunctionId = FunctionId::new(0x10de, 0x1c02);
const APU: FunctionId = FunctionId::new(0x1002, 0x1638);
const APU_BOARD: FunctionId = FunctionId::new(0x1043, 0x8809);

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_preflight"))
        .args(arguments)
        .output()
        .unwrap()
}

/// A folder laid out like /sys, and one for the files.
struct Machine {
    sys: TempDir,
    out: TempDir,
}

fn card_rom() -> Vec<u8> {
    RomMaker::new(CARD)
        .legacy(0x8000)
        .efi(EfiImage::x64().data(0x1000))
        .build()
}

fn apu_rom() -> Vec<u8> {
    RomMaker::new(APU).legacy(0x4000).build()
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            sys: tempfile::tempdir().unwrap(),
            out: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(machine.sys.path().join("bus/pci/devices")).unwrap();
        machine
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.sys.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A display with a ROM region at this address.
    fn display(&self, address: &str, id: FunctionId, boot_vga: bool, rom_at: &str) {
        let folder = format!("bus/pci/devices/{address}");
        let file = |name: &str, text: &str| self.write(&format!("{folder}/{name}"), text);
        file("vendor", &format!("0x{}\n", id.vendor));
        file("device", &format!("0x{}\n", id.device));
        file("class", "0x030000\n");
        file("boot_vga", if boot_vga { "1\n" } else { "0\n" });
        let nothing = "0x0 0x0 0x0\n";
        file("resource", &format!("{}{rom_at}\n", nothing.repeat(6)));
    }

    fn rom_file(&self, address: &str, bytes: &[u8]) {
        self.write(&format!("bus/pci/devices/{address}/rom"), bytes);
    }

    /// What the EFI stub hands over for bus `bus`.
    fn stub(&self, bus: u8, id: FunctionId, rom: &[u8]) {
        let mut data = Vec::new();
        data.extend(id.vendor.0.to_le_bytes());
        data.extend(id.device.0.to_le_bytes());
        data.extend([0; 4]);
        for number in [rom.len() as u64, 0, bus.into(), 0, 0] {
            data.extend(number.to_le_bytes());
        }
        data.extend(rom);
        let folder = format!("kernel/boot_params/setup_data/{bus}");
        self.write(&format!("{folder}/type"), "0x3\n");
        self.write(&format!("{folder}/data"), data);
    }

    /// A VFCT with these images: bus, ids, board's ids.
    fn vfct(&self, images: &[(u8, FunctionId, FunctionId, &[u8])]) {
        let mut table = vec![0; 0x4c];
        table[..4].copy_from_slice(b"VFCT");
        table[0x34] = 0x4c;
        for (bus, id, board, rom) in images {
            table.extend([*bus, 0, 0, 0]);
            table.extend([0; 8]);
            for id in [id, board] {
                table.extend(id.vendor.0.to_le_bytes());
                table.extend(id.device.0.to_le_bytes());
            }
            table.extend([0; 4]);
            table.extend(u32::try_from(rom.len()).unwrap().to_le_bytes());
            table.extend(*rom);
        }
        let length = u32::try_from(table.len()).unwrap();
        table[4..8].copy_from_slice(&length.to_le_bytes());
        let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        table[9] = sum.wrapping_neg();
        self.write("firmware/acpi/tables/VFCT", table);
    }

    fn dump(&self, more: &[&str]) -> (i32, String) {
        let mut arguments = vec!["rom", "dump"];
        arguments.extend(more);
        let (from, out) = (self.sys.path().to_str().unwrap(), self.out_path());
        arguments.extend(["--from", from, "-o", &out]);
        let output = run(&arguments);
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }

    fn out_path(&self) -> String {
        self.out.path().join("roms").to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(Path::new(&self.out_path()).join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out_path())
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_boot_display_gets_the_copy_that_firmware_handed_over_and_a_line_to_paste() {
    let machine = Machine::new();
    machine.display("0000:01:00.0", CARD, true, "0xc0000 0xdffff 0x212");
    machine.rom_file("0000:01:00.0", &card_rom()[..0x8000]);
    machine.stub(1, CARD, &card_rom());
    let (status, text) = machine.dump(&[]);
    assert_eq!(status, 0, "{text}");
    let name = "0000-01-00.0_10de-1c02_efi-stub_good.rom";
    assert_eq!(machine.file(name), card_rom());
    assert!(text.contains(&format!("\n    romfile={name}\n")), "{text}");
    assert!(
        one_line(&text).contains("The EFI stub's copy is chosen"),
        "{text}"
    );
    assert!(
        one_line(&text).contains("The legacy copy at 0xC0000"),
        "{text}"
    );
    let shadow: Vec<String> = machine.names();
    assert!(
        shadow
            .iter()
            .any(|name| name.contains("_shadow_") && name.ends_with(".bin"))
    );
    assert_eq!(shadow.len(), 4);
}

#[test]
fn the_rom_of_an_apu_comes_out_of_vfct_also_where_its_bus_was_renumbered() {
    let machine = Machine::new();
    machine.display("0000:09:00.0", APU, true, "0x0 0x0 0x0");
    let other = RomMaker::new(CARD).legacy(0x1000).build();
    machine.vfct(&[
        (3, CARD, CARD, &other),
        (5, APU, APU_BOARD, &apu_rom()),
        (0, FunctionId::new(0, 0), FunctionId::new(0, 0), &[]),
    ]);
    let (status, text) = machine.dump(&[]);
    assert_eq!(status, 0, "{text}");
    assert_eq!(
        machine.file("0000-09-00.0_1002-1638_vfct_good.rom"),
        apu_rom()
    );
    // A card that is not there has its file all the same.
    assert_eq!(machine.file("0000-03-00.0_10de-1c02_vfct_good.rom"), other);
    assert!(text.contains("not there now"), "{text}");
    let sidecar = machine.file("0000-09-00.0_1002-1638_vfct_good.json");
    let sidecar: serde_json::Value = serde_json::from_slice(&sidecar).unwrap();
    let provenance = sidecar["provenance"].as_str().unwrap();
    assert!(
        provenance.contains("firmware calls the function 0000:05:00.0"),
        "{provenance}"
    );
}

#[test]
fn a_card_that_needs_no_file_is_told_so() {
    let machine = Machine::new();
    machine.display("0000:01:00.0", CARD, false, "0xf0000000 0xf007ffff 0x46200");
    machine.rom_file("0000:01:00.0", &card_rom());
    let (status, text) = machine.dump(&["01:00.0"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("The guest needs no ROM file"), "{text}");
    assert!(!text.contains("romfile="), "{text}");
    assert_eq!(
        machine.names()[1],
        "0000-01-00.0_10de-1c02_rom-bar_good.rom"
    );
}

#[test]
fn a_bad_rom_is_saved_under_that_word_and_fails_the_check() {
    let machine = Machine::new();
    machine.display("0000:01:00.0", CARD, false, "0xf0000000 0xf007ffff 0x46200");
    machine.rom_file("0000:01:00.0", &card_rom()[..0x4000]);
    let (status, text) = machine.dump(&[]);
    assert_eq!(status, 1, "{text}");
    assert!(
        machine
            .names()
            .contains(&"0000-01-00.0_10de-1c02_rom-bar_bad.rom".to_owned())
    );
    assert!(text.contains("rom.truncated"), "{text}");
}

#[test]
fn only_the_functions_that_are_named_are_dumped_and_one_without_a_copy_fails() {
    let machine = Machine::new();
    machine.stub(1, CARD, &card_rom());
    machine.stub(2, APU, &apu_rom());
    assert_eq!(machine.dump(&["02:00.0"]).0, 0);
    assert_eq!(machine.names().len(), 2);
    let (status, text) = machine.dump(&["03:00.0"]);
    assert_eq!(status, 1);
    assert!(
        text.contains("there is no function at this address"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_there_with_other_bytes_is_kept() {
    let machine = Machine::new();
    machine.stub(1, CARD, &card_rom());
    assert_eq!(machine.dump(&[]).0, 0);
    assert_eq!(machine.dump(&[]).0, 0, "the same bytes are no quarrel");
    let name = "0000-01-00.0_10de-1c02_efi-stub_good.rom";
    fs::write(Path::new(&machine.out_path()).join(name), "mine").unwrap();
    let (status, text) = machine.dump(&[]);
    assert_eq!(status, 2);
    assert!(text.contains("is kept"), "{text}");
    assert_eq!(machine.file(name), b"mine");
}

#[test]
fn a_machine_without_roms_is_told_so_and_a_damaged_table_named() {
    let machine = Machine::new();
    let (status, text) = machine.dump(&[]);
    assert_eq!(
        (status, text.trim()),
        (
            0,
            "No function has a ROM, and firmware kept a copy of none."
        )
    );
    machine.write("firmware/acpi/tables/VFCT", b"VFCT");
    let (_, text) = machine.dump(&[]);
    assert!(text.contains("too short for a VFCT table"), "{text}");
}

#[test]
fn the_registers_of_a_copied_machine_cannot_be_asked() {
    let machine = Machine::new();
    assert_eq!(machine.dump(&["--prom"]).0, 2);
    assert_eq!(
        run(&["rom", "dump", "nonsense", "-o", "x"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_capture_is_read_as_well_and_what_is_no_machine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (capture, out) = (path("machine.tar.zst"), path("out"));
    fs::write(path("text"), "no machine").unwrap();
    let refused = run(&["rom", "dump", "--from", &path("text"), "-o", &out]);
    assert_eq!(refused.status.code(), Some(2));
    if !run(&["capture", &capture]).status.success() {
        eprintln!("skipped: this machine has no PCI functions to capture");
        return;
    }
    let dumped = run(&["rom", "dump", "--from", &capture, "-o", &out]);
    let text = String::from_utf8_lossy(&dumped.stdout).into_owned();
    assert_eq!(dumped.status.code(), Some(0), "{text}");
}
