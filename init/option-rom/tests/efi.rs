//! What is said about the driver in an EFI image.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod support;

use option_rom::{ProblemId, Rom, Verdict, compress};
use support::{Built, PCIR, PE, chain, efi, ids, pe_file, put16};

fn problems(built: &Built) -> Vec<ProblemId> {
    ids(&Rom::parse(&built.0))
}

/// An EFI image whose driver is the bytes given, said to be compressed.
fn compressed(stored: &[u8]) -> Built {
    efi(3).with(0x0c, &[1, 0]).with(PE, stored)
}

/// The same, with other sizes in front of packed data.
fn with_sizes(packed: u32, unpacked: u32) -> Built {
    let mut stored = compress(&pe_file(4000));
    stored[..4].copy_from_slice(&packed.to_le_bytes());
    stored[4..8].copy_from_slice(&unpacked.to_le_bytes());
    compressed(&stored)
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
        // The section's end in the file and in memory, entry point, headers, size in memory.
        efi(3).with(PE + 0x148 + 16, &far),
        efi(3).with(PE + 0x148 + 12, &far),
        efi(3).with(PE + 0x58 + 0x10, &far),
        efi(3).with(PE + 0x58 + 0x3c, &far),
        efi(3).with(PE + 0x58 + 0x38, &[0; 4]),
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
fn a_compressed_driver_is_unpacked_and_checked() {
    let rom = Rom::parse(&compressed(&compress(&pe_file(4000))).0);
    assert_eq!(rom.problems, []);
    let header = rom.images[0].efi.unwrap();
    assert!(header.compressed);
    assert_eq!(header.unpacked_length, Some(4000));

    let no_pe = compressed(&compress(b"no PE file"));
    assert_eq!(problems(&no_pe), [ProblemId::EfiPe]);
    let mut other = pe_file(4000);
    put16(&mut other, 0x44, 0xaa64);
    assert_eq!(
        problems(&compressed(&compress(&other))),
        [ProblemId::EfiMismatch]
    );
}

#[test]
fn a_compressed_driver_that_cannot_be_unpacked_is_bad() {
    for (packed, unpacked) in [
        (1017, 4000),
        (u32::MAX, 4000),
        (1000, 0),
        (0, 4000),
        (20, 4000),
    ] {
        assert_eq!(
            problems(&with_sizes(packed, unpacked)),
            [ProblemId::EfiCompressed],
            "{packed} to {unpacked}"
        );
    }
    let mut stored = compress(&pe_file(4000));
    stored[12..20].fill(0xff);
    assert_eq!(problems(&compressed(&stored)), [ProblemId::EfiCompressed]);
}

#[test]
fn a_driver_that_says_to_be_huge_is_not_unpacked_and_not_called_good() {
    let rom = Rom::parse(&with_sizes(1000, u32::MAX).0);
    assert_eq!(ids(&rom), [ProblemId::EfiUnchecked]);
    assert_eq!(rom.verdict, Verdict::Usable);
}

#[test]
fn drivers_of_one_rom_share_what_may_be_unpacked() {
    let half = with_sizes(1000, 9 << 20).with(PCIR + 0x15, &[0]);
    let rom = Rom::parse(&chain(&[half, with_sizes(1000, 9 << 20)]));
    assert_eq!(
        ids(&rom),
        [ProblemId::EfiCompressed, ProblemId::EfiUnchecked]
    );
}

#[test]
fn a_cut_efi_image_is_called_truncated_and_nothing_more() {
    let whole = efi(3).0;
    let rom = Rom::parse(&whole[..1000]);
    assert_eq!(ids(&rom), [ProblemId::Truncated]);
    assert_eq!(rom.images[0].efi.unwrap().machine, 0x8664);
}
