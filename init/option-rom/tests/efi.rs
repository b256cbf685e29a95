//! What is said about the driver in an EFI image.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod support;

use option_rom::{ProblemId, Rom, Verdict};
use support::{Built, PE, efi, ids, put16};

fn problems(built: &Built) -> Vec<ProblemId> {
    ids(&Rom::parse(&built.0))
}

fn compressed(packed: u32, unpacked: u32) -> Built {
    let sizes: Vec<u8> = [packed, unpacked]
        .iter()
        .flat_map(|size| size.to_le_bytes())
        .collect();
    efi(3).with(0x0c, &[1, 0]).with(PE, &sizes)
}

#[test]
fn the_header_says_machine_subsystem_and_compression() {
    let rom = Rom::parse(&efi(3).0);
    let header = rom.images[0].efi.unwrap();
    assert_eq!(header.machine_name(), Some("x64"));
    assert_eq!(header.subsystem_name(), Some("boot service driver"));
    assert!(!header.compressed);
    assert_eq!(header.pe_offset, PE);
    assert_eq!(rom.verdict, Verdict::Good);
}

#[test]
fn a_header_that_firmware_passes_over_is_bad() {
    let cases = [
        efi(3).with(4, &[0; 4]),
        efi(3).with(0x0c, &[2, 0]),
        efi(3).with(0x02, &[4, 0]),
        efi(3).with(0x16, &[0, 6]),
        efi(3).with(0x02, &[0, 0]),
    ];
    for built in cases {
        assert_eq!(problems(&built), [ProblemId::EfiHeader]);
        assert_eq!(Rom::parse(&built.0).verdict, Verdict::Bad);
    }
}

#[test]
fn a_driver_that_is_no_pe_file_is_bad() {
    let far: [u8; 4] = [0xf0, 0xff, 0xff, 0xff];
    let cases = [
        efi(3).with(PE, b"ZM"),
        efi(3).with(PE + 0x3c, &far),
        efi(3).with(PE + 0x40, b"NE"),
        efi(3).with(PE + 0x54, &[0, 0]),
        efi(3).with(PE + 0x58, &[0, 0]),
        efi(3).with(PE + 0x46, &[0xff, 0xff]),
        efi(3).with(PE + 0x148 + 16, &far),
    ];
    for (index, built) in cases.iter().enumerate() {
        assert_eq!(problems(built), [ProblemId::EfiPe], "case {index}");
    }
}

#[test]
fn a_driver_for_another_machine_than_its_header_says_is_usable() {
    let mut built = efi(3);
    put16(&mut built.0, 0x0a, 0xaa64);
    assert_eq!(problems(&built), [ProblemId::EfiMismatch]);
    assert_eq!(Rom::parse(&built.0).verdict, Verdict::Usable);
}

#[test]
fn a_compressed_driver_must_have_room_for_its_bytes() {
    assert_eq!(problems(&compressed(1000, 4000)), []);
    assert_eq!(
        problems(&compressed(1017, 4000)),
        [ProblemId::EfiCompressed]
    );
    assert_eq!(
        problems(&compressed(u32::MAX, 4000)),
        [ProblemId::EfiCompressed]
    );
    assert_eq!(problems(&compressed(1000, 0)), [ProblemId::EfiCompressed]);
    assert!(
        Rom::parse(&compressed(1000, 4000).0).images[0]
            .efi
            .unwrap()
            .compressed
    );
}

#[test]
fn a_cut_efi_image_is_called_truncated_and_nothing_more() {
    let whole = efi(3).0;
    let rom = Rom::parse(&whole[..1000]);
    assert_eq!(ids(&rom), [ProblemId::Truncated]);
    assert_eq!(rom.images[0].efi.unwrap().machine, 0x8664);
}
