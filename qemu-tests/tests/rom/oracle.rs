use std::fs;
use std::path::{Path, PathBuf};

use option_rom::{ImageType, Part, Recipe, Rom, Verdict, build};
use pci::{ClassCode, DeviceId, VendorId};
use qemu_tests::{EfiRom, RomFile, skip};

use crate::packages;

const VENDOR: VendorId = VendorId(0x1002);
const DEVICES: [DeviceId; 3] = [DeviceId(0x164c), DeviceId(0x1636), DeviceId(0x1638)];
const CLASS: ClassCode = ClassCode(0x03_80_00);
const REVISION: u16 = 0x1234;

/// iPXE, the fallback of shim, GRUB: linked by three toolchains, 117 KB to 4 MB.
const DRIVERS: [&str; 3] = ["snponly.efi", "fbx64.efi", "grubx64.efi"];

/// EDK2's tool and the drivers.
fn peers() -> Result<(EfiRom, Vec<PathBuf>), String> {
    let efi_rom = EfiRom::obtain().map_err(|error| error.to_string())?;
    let drivers = DRIVERS.iter().map(|name| packages::file(name));
    Ok((efi_rom, drivers.collect::<Result<_, _>>()?))
}

/// Our ROM of the same files.
fn ours(devices: &[DeviceId], class: ClassCode, revision: u16, files: &[RomFile<'_>]) -> Vec<u8> {
    let read = |path: &Path| fs::read(path).unwrap();
    let part = |file: &RomFile<'_>| match file {
        RomFile::Efi(path) => Part::Efi {
            driver: read(path),
            compress: false,
        },
        RomFile::EfiCompressed(path) => Part::Efi {
            driver: read(path),
            compress: true,
        },
        RomFile::Binary(path) => Part::Legacy(read(path)),
    };
    build(&Recipe {
        vendor: VENDOR,
        devices: devices.to_vec(),
        class,
        revision,
        parts: files.iter().map(part).collect(),
    })
    .unwrap()
}

/// Both must be the same; gives it.
#[track_caller]
fn agree(
    efi_rom: &EfiRom,
    devices: &[DeviceId],
    (class, revision): (ClassCode, u16),
    files: &[RomFile<'_>],
) -> Rom {
    let theirs = efi_rom
        .make((VENDOR, devices), (class, revision), files)
        .unwrap_or_else(|error| panic!("{files:?}: {error}"));
    let ours = ours(devices, class, revision, files);
    let differs = ours.iter().zip(&theirs).position(|(a, b)| a != b);
    assert!(
        ours == theirs,
        "{files:?}: {} and {} bytes, first difference at {differs:?}",
        ours.len(),
        theirs.len()
    );
    let rom = Rom::parse(&ours);
    assert_eq!(rom.verdict, Verdict::Good, "{:?}", rom.problems);
    rom
}

const PLAIN: (ClassCode, u16) = (ClassCode(0), 0);

#[test]
fn a_rom_of_one_driver_is_the_one_that_efirom_makes() {
    let (efi_rom, drivers) = match peers() {
        Ok(peers) => peers,
        Err(why) => return skip(&why),
    };
    for driver in &drivers {
        for file in [RomFile::Efi(driver), RomFile::EfiCompressed(driver)] {
            let rom = agree(&efi_rom, &DEVICES[..1], PLAIN, &[file]);
            assert_eq!(rom.images.len(), 1);
        }
    }
}

#[test]
fn a_rom_of_several_drivers_is_the_one_that_efirom_makes() {
    let (efi_rom, drivers) = match peers() {
        Ok(peers) => peers,
        Err(why) => return skip(&why),
    };
    let files = [
        RomFile::EfiCompressed(&drivers[0]),
        RomFile::Efi(&drivers[1]),
        RomFile::EfiCompressed(&drivers[2]),
    ];
    let rom = agree(&efi_rom, &DEVICES[..1], (CLASS, REVISION), &files);
    let facts: Vec<_> = rom
        .images
        .iter()
        .map(|image| (image.class, image.pcir.vendor_revision, image.last))
        .collect();
    let image = |last| (CLASS, REVISION, last);
    assert_eq!(facts, [image(false), image(false), image(true)]);
    agree(&efi_rom, &DEVICES, PLAIN, &files);
}

#[test]
fn a_rom_with_a_legacy_image_is_the_one_that_efirom_makes() {
    let peers = peers().and_then(|(efi_rom, drivers)| {
        let names = ["pxe-e1000.rom", "vgabios-stdvga.bin"];
        let legacy: Result<Vec<_>, _> = names.iter().map(|name| packages::file(name)).collect();
        Ok((efi_rom, drivers, legacy?))
    });
    let (efi_rom, drivers, legacy) = match peers {
        Ok(peers) => peers,
        Err(why) => return skip(&why),
    };
    for legacy in &legacy {
        let (legacy, driver) = (RomFile::Binary(legacy), RomFile::EfiCompressed(&drivers[0]));
        let rom = agree(&efi_rom, &DEVICES[..1], PLAIN, &[legacy, driver]);
        let kinds: Vec<_> = rom.images.iter().map(|image| image.kind).collect();
        assert_eq!(kinds, [ImageType::X86, ImageType::Efi]);
        agree(&efi_rom, &DEVICES[..1], PLAIN, &[driver, legacy]);
        agree(&efi_rom, &DEVICES[..1], PLAIN, &[legacy]);
    }
}
