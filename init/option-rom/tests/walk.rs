//! Which images a ROM has, and what is said when the walk from one to the next goes wrong.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod support;

use option_rom::{Checksum, ImageType, ProblemId, Rom, Trailing, Verdict};
use pci::{DeviceId, FunctionId};
use support::{Built, PCIR, chain, efi, graphics_card, ids, image, x86};

fn kinds(rom: &Rom) -> Vec<ImageType> {
    rom.images.iter().map(|image| image.kind).collect()
}

fn parse_one(built: &Built) -> Rom {
    Rom::parse(&built.0)
}

#[test]
fn a_rom_of_two_images_is_good_and_has_no_problems() {
    let rom = Rom::parse(&graphics_card());
    assert_eq!(rom.problems, []);
    assert_eq!(rom.verdict, Verdict::Good);
    assert_eq!(kinds(&rom), [ImageType::X86, ImageType::Efi]);
    assert_eq!((rom.leading, rom.trailing), (0, Trailing::None));
    let [first, second] = &rom.images[..] else {
        panic!("two images");
    };
    assert_eq!((first.offset, first.length, first.last), (0, 2048, false));
    assert_eq!(
        (second.offset, second.length, second.last),
        (2048, 1536, true)
    );
    assert_eq!(first.checksum, Checksum::Ok);
    assert_eq!(second.checksum, Checksum::None);
    assert_eq!(first.vendor.to_string(), "10de");
    assert_eq!(first.class.to_string(), "030000");
    assert!(rom.has(ImageType::Efi) && !rom.has(ImageType::OpenFirmware));
}

#[test]
fn an_image_inside_an_image_is_not_seen() {
    let decoy = x86(1).0;
    let bytes = chain(&[x86(4).with(512, &decoy).summed().not_last(), efi(3)]);
    let rom = Rom::parse(&bytes);
    assert_eq!(rom.problems, []);
    assert_eq!(kinds(&rom), [ImageType::X86, ImageType::Efi]);
}

#[test]
fn open_firmware_and_vendor_types_are_named() {
    let bytes = chain(&[image(1, 1).not_last(), image(0xe0, 1)]);
    let rom = Rom::parse(&bytes);
    assert_eq!(
        kinds(&rom),
        [ImageType::OpenFirmware, ImageType::Other(0xe0)]
    );
    assert_eq!(rom.verdict, Verdict::Good);
}

#[test]
fn npde_overrides_length_and_last_of_pcir() {
    let bytes = chain(&[x86(8).npde(3, false), efi(3)]);
    let rom = Rom::parse(&bytes);
    assert_eq!(rom.problems, []);
    assert_eq!(rom.images[0].length, 3 * 512);
    assert_eq!(rom.images[0].pcir.image_length, 8 * 512);
    assert!(rom.images[0].pcir.last && !rom.images[0].last);
    assert_eq!(rom.images[1].offset, 3 * 512);
}

#[test]
fn nvidias_own_images_behind_the_standard_ones_are_walked() {
    let tail = image(0, 2).vendor();
    let rom = Rom::parse(&chain(&[x86(3).not_last(), efi(3).npde(3, false), tail]));
    assert_eq!(rom.problems, []);
    assert_eq!(kinds(&rom)[2], ImageType::Other(0xe0));
}

#[test]
fn a_rom_that_ends_before_nvidias_own_images_is_usable() {
    let rom = Rom::parse(&chain(&[x86(3).not_last(), efi(3).npde(3, false)]));
    assert_eq!(ids(&rom), [ProblemId::VendorTailMissing]);
    assert_eq!(rom.verdict, Verdict::Usable);

    let mut cut = chain(&[efi(3).npde(3, false), image(0, 2).vendor()]);
    cut.truncate(cut.len() - 300);
    assert_eq!(ids(&Rom::parse(&cut)), [ProblemId::VendorTailMissing]);
}

#[test]
fn nvidias_own_signature_does_not_start_a_rom() {
    assert_eq!(
        ids(&parse_one(&image(0, 2).vendor())),
        [ProblemId::NoSignature]
    );
}

#[test]
fn a_file_header_before_the_first_image_is_measured() {
    for length in [0x400, 0x600, 0xa00, 0x4600] {
        let mut bytes = b"NVGI".to_vec();
        bytes.resize(length, 0x11);
        bytes.extend(graphics_card());
        let rom = Rom::parse(&bytes);
        assert_eq!(rom.leading, length);
        assert_eq!(rom.images[0].offset, length);
        assert_eq!(ids(&rom), [ProblemId::LeadingData]);
        assert_eq!(rom.verdict, Verdict::Usable);
    }
}

#[test]
fn a_bare_signature_in_a_file_header_is_passed_over() {
    let mut bytes = vec![0x11; 0x600];
    bytes[0x200..0x202].copy_from_slice(&[0x55, 0xaa]);
    bytes.extend(graphics_card());
    assert_eq!(Rom::parse(&bytes).leading, 0x600);
}

#[test]
fn padding_behind_the_last_image_is_no_fault() {
    for fill in [0x00, 0xff] {
        let mut bytes = graphics_card();
        bytes.resize(0x10000, fill);
        let rom = Rom::parse(&bytes);
        assert_eq!(rom.trailing, Trailing::Padding(0x10000 - 7 * 512));
        assert_eq!(ids(&rom), [ProblemId::TrailingPadding]);
        assert_eq!(rom.verdict, Verdict::Good);
    }
}

#[test]
fn data_behind_the_last_image_is_told_from_padding() {
    let mut bytes = graphics_card();
    bytes.extend([0xff; 100]);
    bytes.push(0xfe);
    let rom = Rom::parse(&bytes);
    assert_eq!(rom.trailing, Trailing::Data(101));
    assert_eq!(ids(&rom), [ProblemId::TrailingData]);
    assert_eq!(rom.verdict, Verdict::Usable);
}

#[test]
fn a_missing_last_bit_on_the_only_image_is_accepted() {
    let rom = parse_one(&x86(4).not_last());
    assert_eq!(ids(&rom), [ProblemId::LastMissing]);
    assert_eq!(rom.verdict, Verdict::Usable);
    assert_eq!(rom.images.len(), 1);

    let mut padded = x86(4).not_last().0;
    padded.resize(0x4000, 0xff);
    let rom = Rom::parse(&padded);
    assert_eq!(
        ids(&rom),
        [ProblemId::LastMissing, ProblemId::TrailingPadding]
    );
}

#[test]
fn garbage_where_the_next_image_must_be_is_bad() {
    let mut bytes = x86(4).not_last().0;
    bytes.extend((0..4096_u32).map(|at| (at * 13 % 255) as u8));
    let rom = Rom::parse(&bytes);
    assert_eq!(ids(&rom), [ProblemId::ChainBroken]);
    assert_eq!(rom.verdict, Verdict::Bad);
    assert_eq!(rom.trailing, Trailing::Data(4096));
}

#[test]
fn nothing_is_named_for_what_it_is() {
    assert_eq!(ids(&Rom::parse(&[])), [ProblemId::Empty]);
    assert_eq!(ids(&Rom::parse(&[0xff; 70_000])), [ProblemId::AllOnes]);
    assert_eq!(ids(&Rom::parse(&[0; 70_000])), [ProblemId::AllZeros]);
    assert_eq!(ids(&Rom::parse(b"hello")), [ProblemId::NoSignature]);
    for bytes in [&[][..], &[0xff; 10], &[0; 10], b"hello"] {
        let rom = Rom::parse(bytes);
        assert_eq!(rom.verdict, Verdict::Bad);
        assert!(rom.images.is_empty());
    }
}

#[test]
fn a_rom_without_pcir_is_named() {
    let old = x86(4).with(0x18, &[0, 0]);
    assert_eq!(ids(&parse_one(&old)), [ProblemId::NoPcir]);
    let elsewhere = x86(4).with(PCIR, b"PCIX");
    assert_eq!(ids(&parse_one(&elsewhere)), [ProblemId::NoPcir]);
    let far_behind = x86(4).with(0x18, &[0x34, 0xf2]);
    assert_eq!(ids(&parse_one(&far_behind)), [ProblemId::NoPcir]);
}

#[test]
fn an_image_without_a_length_ends_the_walk() {
    let rom = parse_one(&x86(4).with(PCIR + 0x10, &[0, 0]));
    assert_eq!(ids(&rom), [ProblemId::ZeroLength]);
    let rom = Rom::parse(&chain(&[
        x86(2).not_last(),
        efi(3).with(PCIR + 0x10, &[0, 0]),
    ]));
    assert_eq!(ids(&rom), [ProblemId::ZeroLength]);
    assert_eq!(rom.images.len(), 1);
}

#[test]
fn only_an_x86_image_has_a_sum_that_can_be_bad() {
    let changed = x86(4).with(0x300, b"changed");
    let rom = parse_one(&changed);
    assert_eq!(rom.images[0].checksum, Checksum::Bad);
    assert_eq!(ids(&rom), [ProblemId::Checksum]);
    assert_eq!(rom.verdict, Verdict::Usable);
    assert_eq!(parse_one(&efi(3)).images[0].checksum, Checksum::None);
}

#[test]
fn a_sum_over_the_bytes_of_the_size_byte_is_as_good() {
    let mut longer = x86(2).with(PCIR + 0x10, &[3, 0]).summed().0;
    longer.extend([0x5b; 511]);
    longer.push(0);
    let rom = Rom::parse(&longer);
    assert_eq!(
        (rom.images[0].length, rom.images[0].header_length),
        (1536, 1024)
    );
    assert_eq!(rom.images[0].checksum, Checksum::Ok);
    longer[0x300] ^= 1;
    assert_eq!(Rom::parse(&longer).images[0].checksum, Checksum::Bad);
}

#[test]
fn a_rom_that_is_cut_anywhere_is_never_good() {
    let roms = [
        graphics_card(),
        chain(&[x86(2)]),
        chain(&[efi(3)]),
        chain(&[x86(8).npde(3, false), efi(3)]),
        chain(&[
            x86(2).not_last(),
            efi(3).npde(3, false),
            image(0, 2).vendor(),
        ]),
    ];
    for whole in roms {
        assert_eq!(Rom::parse(&whole).verdict, Verdict::Good);
        for length in 0..whole.len() {
            let rom = Rom::parse(&whole[..length]);
            assert_ne!(rom.verdict, Verdict::Good, "cut to {length}: {rom:?}");
        }
    }
}

#[test]
fn a_cut_image_is_kept_with_the_length_it_should_have() {
    let whole = graphics_card();
    let rom = Rom::parse(&whole[..3000]);
    assert_eq!(ids(&rom), [ProblemId::Truncated]);
    assert_eq!(rom.images.len(), 2);
    assert_eq!(rom.images[1].end(), whole.len());
    assert_eq!(rom.images[1].bytes(&whole[..3000]).len(), 3000 - 2048);
    assert_eq!(rom.trailing, Trailing::None);
}

#[test]
fn ids_match_by_pcir_or_by_its_device_list() {
    let rom = parse_one(&x86(4).devices(&[0x1111, 0x2222]));
    assert_eq!(
        rom.images[0].pcir.devices,
        [DeviceId(0x1111), DeviceId(0x2222)]
    );
    for device in [0x0fc6, 0x1111, 0x2222] {
        assert_eq!(rom.check_ids(FunctionId::new(0x10de, device)), []);
    }
    let problems = rom.check_ids(FunctionId::new(0x10de, 0x3333));
    assert_eq!(problems[0].id, ProblemId::IdMismatch);
    assert!(problems[0].detail.contains("10de:0fc6"));
    assert_eq!(rom.check_ids(FunctionId::new(0x1002, 0x0fc6)).len(), 1);
    assert_eq!(Verdict::of(&problems), Verdict::Usable);
}

#[test]
fn a_device_list_counts_from_revision_3_on() {
    let old = x86(4).devices(&[0x1111]).with(PCIR + 0x0c, &[0]);
    let rom = parse_one(&old.summed());
    assert_eq!(rom.problems, []);
    assert!(rom.images[0].pcir.devices.is_empty());
}

#[test]
fn a_device_list_that_leaves_its_image_is_not_followed() {
    let endless = x86(4).with(PCIR + 8, &[0x80, 0x07]).with(0x7c0, &[7; 0x40]);
    let rom = parse_one(&endless.summed());
    assert_eq!(ids(&rom), [ProblemId::DeviceList]);
    assert!(rom.images[0].pcir.devices.is_empty());
}

#[test]
fn the_json_of_a_rom_reads_back_as_the_same_rom() {
    let rom = Rom::parse(&graphics_card());
    let text = serde_json::to_string(&rom).unwrap();
    assert!(text.contains(r#""type":"x86""#) && text.contains(r#""checksum":"ok""#));
    assert_eq!(serde_json::from_str::<Rom>(&text).unwrap(), rom);
}

/// A file with NVIDIA's flash header of this version, which says that the ROM is at 0x1e00; before it
/// stands another that a search would find.
fn flash(version: u8) -> Vec<u8> {
    let mut bytes = vec![0x11; 0x1e00];
    bytes[..4].copy_from_slice(b"NVGI");
    bytes[4..8].copy_from_slice(&[0, version, 0x40, 0x80]);
    bytes[8..12].copy_from_slice(&0x100_u32.to_le_bytes());
    bytes[0x44..0x48].copy_from_slice(&0x1e00_u32.to_le_bytes());
    bytes[0x100..0x104].copy_from_slice(&0x200_u32.to_le_bytes());
    bytes[0x1200..0x1204].copy_from_slice(b"RFRD");
    bytes[0x1208..0x120c].copy_from_slice(&0x1e00_u32.to_le_bytes());
    let decoy = x86(1).0;
    bytes[0x400..0x600].copy_from_slice(&decoy);
    [bytes, graphics_card()].concat()
}

#[test]
fn nvidias_flash_header_says_where_the_rom_is() {
    for version in [1, 2, 3] {
        let rom = Rom::parse(&flash(version));
        assert_eq!(rom.leading, 0x1e00, "version {version}");
        assert_eq!(ids(&rom), [ProblemId::LeadingData]);
        assert!(rom.problems[0].detail.contains("NVGI"));
    }
}

#[test]
fn a_flash_header_that_leads_nowhere_is_searched_behind() {
    assert_eq!(Rom::parse(&flash(4)).leading, 0x400);
    let mut astray = flash(1);
    astray[0x44..0x48].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Rom::parse(&astray).leading, 0x400);
    let mut no_directory = flash(3);
    no_directory[0x1200] = b'X';
    assert_eq!(Rom::parse(&no_directory).leading, 0x400);
}

#[test]
fn a_whole_isa_style_rom_is_named_for_what_it_is() {
    let mut isa = x86(4).with(0x18, &[0, 0]);
    assert!(!parse_one(&isa).problems[0].detail.contains("ISA"));
    isa = isa.summed();
    let detail = &parse_one(&isa).problems[0].detail;
    assert!(detail.contains("whole ISA-style ROM"), "{detail}");
}

#[test]
fn a_rom_judged_for_another_function_is_usable_at_best() {
    let judged = |device| Rom::parse(&graphics_card()).judged_for(FunctionId::new(0x10de, device));
    assert_eq!(judged(0x0fc6).verdict, Verdict::Good);
    assert_eq!(judged(0x0e1b).verdict, Verdict::Usable);
    assert_eq!(ids(&judged(0x0e1b)), [ProblemId::IdMismatch; 2]);
}
