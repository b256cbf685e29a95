//! ROMs that are put together, as our own parser reads them.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod support;

use option_rom::{
    BuildError, ImageType, Part, PartError, Recipe, Rom, Trailing, Verdict, build, decompress,
};
use pci::{ClassCode, DeviceId, FunctionId, VendorId};
use support::{chain, efi, pe_file, x86};

fn recipe(parts: Vec<Part>) -> Recipe {
    Recipe {
        vendor: VendorId(0x1002),
        devices: vec![DeviceId(0x164c)],
        class: ClassCode(0x03_00_00),
        revision: 7,
        parts,
    }
}

fn driver(compress: bool) -> Part {
    let driver = pe_file(4000);
    Part::Efi { driver, compress }
}

#[test]
fn what_is_built_is_good_and_has_what_was_put_in() {
    let legacy = x86(4).0;
    let bytes = build(&recipe(vec![
        Part::Legacy(legacy.clone()),
        driver(false),
        driver(true),
    ]))
    .unwrap();
    let rom = Rom::parse(&bytes);
    assert_eq!((rom.verdict, rom.trailing), (Verdict::Good, Trailing::None));
    let kinds: Vec<_> = rom.images.iter().map(|image| image.kind).collect();
    assert_eq!(kinds, [ImageType::X86, ImageType::Efi, ImageType::Efi]);
    let last: Vec<_> = rom.images.iter().map(|image| image.last).collect();
    assert_eq!(last, [false, false, true]);

    let plain = &rom.images[1];
    assert!(plain.is_for(FunctionId::new(0x1002, 0x164c)));
    assert_eq!(plain.class, ClassCode(0x03_00_00));
    assert_eq!((plain.pcir.revision, plain.pcir.vendor_revision), (3, 7));
    assert!(plain.bytes(&bytes).ends_with(&pe_file(4000)));

    let packed = rom.images[2].efi.unwrap();
    assert!(packed.compressed);
    let stored = &rom.images[2].bytes(&bytes)[packed.pe_offset..];
    assert_eq!(decompress(stored, 4000).unwrap(), pe_file(4000));
    // The ids of a legacy image are its own.
    assert_eq!(rom.images[0].vendor, VendorId(0x10de));
}

#[test]
fn a_legacy_image_changes_in_its_last_bit_and_its_sum_alone() {
    let legacy = x86(4).0;
    let alone = build(&recipe(vec![Part::Legacy(legacy.clone())])).unwrap();
    assert_eq!(alone, legacy);
    let first = build(&recipe(vec![Part::Legacy(legacy.clone()), driver(false)])).unwrap();
    let differing: Vec<_> = (0..legacy.len())
        .filter(|at| legacy[*at] != first[*at])
        .collect();
    assert_eq!(differing, [0x40 + 0x15, legacy.len() - 1]);
}

#[test]
fn nvidias_extension_gets_the_last_bit_too() {
    let legacy = x86(8).npde(3, true).0;
    let bytes = build(&recipe(vec![Part::Legacy(legacy), driver(false)])).unwrap();
    assert_eq!(Rom::parse(&bytes).images.len(), 2);
}

#[test]
fn several_devices_make_a_device_list() {
    let mut recipe = recipe(vec![driver(false)]);
    recipe.devices = vec![DeviceId(0x164c), DeviceId(0x1636), DeviceId(0x1638)];
    let rom = Rom::parse(&build(&recipe).unwrap());
    assert_eq!(rom.problems, []);
    for device in [0x164c, 0x1636, 0x1638] {
        assert!(rom.images[0].is_for(FunctionId::new(0x1002, device)));
    }
}

#[test]
fn what_cannot_make_a_rom_is_refused_with_the_reason() {
    let refused = |parts| build(&recipe(parts)).unwrap_err();
    assert_eq!(refused(vec![]), BuildError::NoPart);
    let of = |part| match refused(vec![driver(false), part]) {
        BuildError::Part { number: 2, why } => why,
        other => panic!("{other}"),
    };
    let no_driver = Part::Efi {
        driver: b"\x7fELF".to_vec(),
        compress: false,
    };
    assert!(matches!(of(no_driver), PartError::NoPe(_)));
    let incompressible = Part::Efi {
        driver: pe_file(0x181),
        compress: true,
    };
    assert!(
        Rom::parse(&build(&recipe(vec![incompressible])).unwrap())
            .problems
            .is_empty()
    );
    let two = Part::Legacy(chain(&[x86(2).not_last(), efi(3)]));
    assert_eq!(
        of(two),
        PartError::NotAlone {
            images: 2,
            around: 0
        }
    );
    let padded = Part::Legacy([x86(2).0, vec![0xff; 100]].concat());
    assert_eq!(
        of(padded),
        PartError::NotAlone {
            images: 1,
            around: 100
        }
    );
    assert!(matches!(
        of(Part::Legacy(efi(3).0)),
        PartError::NotLegacy { .. }
    ));
    let cut = Part::Legacy(x86(4).0[..1000].to_vec());
    assert!(matches!(of(cut), PartError::BadLegacy { .. }));
    let nothing = Part::Legacy(vec![0xff; 512]);
    assert!(matches!(of(nothing), PartError::BadLegacy { .. }));

    let mut no_device = recipe(vec![driver(false)]);
    no_device.devices = vec![DeviceId(0)];
    assert_eq!(build(&no_device).unwrap_err(), BuildError::NoDevice);
}

#[test]
fn a_rom_larger_than_any_is_refused() {
    let many = vec![driver(false); 4200];
    assert!(matches!(
        build(&recipe(many)).unwrap_err(),
        BuildError::TooLarge { .. }
    ));
}
