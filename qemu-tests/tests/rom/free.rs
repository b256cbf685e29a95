use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use option_rom::{Checksum, Image, ImageType, ProblemId, Rom, Trailing, Verdict};
use qemu_tests::{sha256, skip};

use crate::packages::{files_below, tree};

/// Where a package has its ROMs, and how their names begin and end.
const PLACES: [(&str, &str, &str, &str); 2] = [
    ("ipxe-qemu", "usr/lib/ipxe/qemu", "", ".rom"),
    ("seabios", "usr/share/seabios", "vgabios", ".bin"),
];

/// ROMs that lie beside the repository.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures/rom");
const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rom/snapshots");

struct FreeRom {
    name: String,
    bytes: Vec<u8>,
    rom: Rom,
}

fn read(path: &Path) -> FreeRom {
    let bytes = fs::read(path).unwrap();
    FreeRom {
        name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        rom: Rom::parse(&bytes),
        bytes,
    }
}

fn roms_in(folder: &Path, start: &str, end: &str) -> Vec<FreeRom> {
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(start) && name.ends_with(end)
    };
    let files = files_below(folder);
    files
        .iter()
        .filter(|path| named(path))
        .map(|path| read(path))
        .collect()
}

fn line(image: &Image) -> String {
    let mut text = format!(
        "{:#08x} {:>6} {} {}:{} {} rev {} code rev {:#06x} sum {:?} last {} devices {}",
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
        let _ = write!(text, " {machine}, {subsystem}, packed {}", efi.compressed);
    }
    text
}

fn table(rom: &FreeRom) -> String {
    let FreeRom { name, rom, .. } = rom;
    let mut text = format!("{name}: {:?}, trailing {:?}\n", rom.verdict, rom.trailing);
    for image in &rom.images {
        let _ = writeln!(text, "  {}", line(image));
    }
    for problem in &rom.problems {
        let _ = writeln!(text, "  {}: {}", problem.id, problem.detail);
    }
    text
}

/// What must hold of a ROM that firmware runs every day, read here from its bytes without the parser.
fn check(free: &FreeRom) {
    let FreeRom { name, bytes, rom } = free;
    let field = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    assert_eq!(bytes[..2], [0x55, 0xaa], "{name}");
    let pcir = usize::from(field(0x18));
    if bytes.get(pcir..pcir + 4) != Some(b"PCIR") {
        let ids: Vec<_> = rom.problems.iter().map(|problem| problem.id).collect();
        assert_eq!(ids, [ProblemId::NoPcir], "{name}");
        return;
    }
    assert_eq!(
        (rom.verdict, rom.leading),
        (Verdict::Good, 0),
        "{name}: {rom:?}"
    );
    let first = &rom.images[0];
    assert_eq!(first.vendor.0, field(pcir + 4), "{name}");
    assert_eq!(first.device.0, field(pcir + 6), "{name}");
    assert_eq!(
        first.length,
        usize::from(field(pcir + 0x10)) * 512,
        "{name}"
    );
    assert_eq!(first.checksum, Checksum::Ok, "{name}");
    let behind = match rom.trailing {
        Trailing::None => 0,
        Trailing::Padding(length) | Trailing::Data(length) => length,
    };
    let images: usize = rom.images.iter().map(|image| image.length).sum();
    assert_eq!(images + behind, bytes.len(), "{name}");
    // iPXE names its ROMs by what is in them.
    assert_eq!(rom.has(ImageType::Efi), name.starts_with("efi-"), "{name}");
}

#[test]
fn every_free_rom_of_debian_has_the_images_that_it_should_have() {
    let tree = match tree() {
        Ok(tree) => tree,
        Err(why) => return skip(&why),
    };
    for (package, folder, start, end) in PLACES {
        let roms = roms_in(&tree.join(folder), start, end);
        assert!(!roms.is_empty(), "no ROM of {package}");
        for rom in &roms {
            check(rom);
        }
        let tables: String = roms.iter().map(table).collect();
        let hashes: String = roms.iter().map(|rom| sha256(&rom.bytes)).collect();
        let name = format!("{package}-{}", &sha256(hashes.as_bytes())[..8]);
        let known = Path::new(SNAPSHOTS).join(format!("{name}.snap")).exists();
        // Another release has other ROMs, of which only the structure is known.
        if known || std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
            insta::with_settings!({ prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(name, tables);
            });
        } else {
            eprintln!("{package}: no table of this version is kept ({name}):\n{tables}");
        }
    }
}

#[test]
fn every_rom_of_the_fixtures_has_the_images_that_it_should_have() {
    let roms = roms_in(Path::new(FIXTURES), "", "");
    if roms.is_empty() {
        eprintln!("{FIXTURES} is not there; Debian's packages have the same ROMs");
        return;
    }
    for rom in &roms {
        check(rom);
    }
}

#[test]
fn an_isa_style_rom_is_named_for_what_it_is() {
    let tree = match tree() {
        Ok(tree) => tree,
        Err(why) => return skip(&why),
    };
    let isa = read(&tree.join("usr/share/seabios/vgabios-isavga.bin"));
    let detail = &isa.rom.problems[0].detail;
    assert!(detail.contains("whole ISA-style ROM"), "{detail}");
}
