//! Made ROMs say what they were described as, in the words of the parser that reads real ones.

use option_rom::{Checksum, ImageType, ProblemId, Rom, Trailing as Behind, Verdict};
use pci::{DeviceId, FunctionId};
use rom_maker::{
    EfiImage, FileHeader, Image, Machine, PcirRevision, RomMaker, Subsystem, Trailing,
};

const CARD: FunctionId = FunctionId::new(0x10de, 0x0fc6);

fn maker() -> RomMaker {
    RomMaker::new(CARD)
}

fn problems(rom: &Rom) -> Vec<ProblemId> {
    rom.problems.iter().map(|problem| problem.id).collect()
}

#[test]
fn a_rom_with_both_images_is_good_and_names_its_card() {
    for revision in [PcirRevision::Zero, PcirRevision::Three] {
        let bytes = maker()
            .revision(revision)
            .legacy(0xf800)
            .efi(EfiImage::x64())
            .build();
        let rom = Rom::parse(&bytes);
        assert_eq!(rom.verdict, Verdict::Good, "{:?}", rom.problems);
        assert_eq!(problems(&rom), []);
        let kinds: Vec<_> = rom.images.iter().map(|image| image.kind).collect();
        assert_eq!(kinds, [ImageType::X86, ImageType::Efi]);
        assert!(rom.images.iter().all(|image| image.vendor == CARD.vendor));
        assert!(rom.images.iter().all(|image| image.device == CARD.device));
        assert_eq!(rom.images[0].length, 0xf800);
        assert_eq!(rom.images[0].checksum, Checksum::Ok);
        let last: Vec<_> = rom.images.iter().map(|image| image.last).collect();
        assert_eq!(last, [false, true]);
        let expected = if revision == PcirRevision::Three {
            3
        } else {
            0
        };
        assert_eq!(rom.images[0].pcir.revision, expected);
    }
}

#[test]
fn an_efi_image_is_a_whole_driver_for_every_machine_and_subsystem() {
    for machine in [Machine::Ia32, Machine::X64, Machine::Arm64] {
        for subsystem in [Subsystem::BootServiceDriver, Subsystem::RuntimeDriver] {
            let driver = EfiImage::new(machine).subsystem(subsystem);
            for driver in [driver.clone(), driver.compressed()] {
                let compressed = driver.compressed;
                let rom = Rom::parse(&maker().efi(driver).build());
                assert_eq!(rom.verdict, Verdict::Good, "{:?}", rom.problems);
                let efi = rom.images[0].efi.unwrap();
                assert_eq!(efi.machine, machine.number());
                assert_eq!(efi.subsystem, subsystem.number());
                assert_eq!(efi.compressed, compressed);
            }
        }
    }
}

#[test]
#[expect(deprecated, reason = "the decoder is the same one under its old name")]
fn a_compressed_driver_unpacks_to_a_pe_file() {
    use uefi_decompress::{DecompressionAlgorithm, decompress_into_with_algo};
    let plain = Rom::parse(&maker().efi(EfiImage::x64()).build()).images[0].length;
    let bytes = maker().efi(EfiImage::x64().compressed()).build();
    let rom = Rom::parse(&bytes);
    assert!(rom.images[0].length < plain);
    let packed = &bytes[rom.images[0].efi.unwrap().pe_offset..];
    let size = u32::from_le_bytes(packed[4..8].try_into().unwrap());
    let mut pe = vec![0; usize::try_from(size).unwrap()];
    let algorithm = DecompressionAlgorithm::UefiDecompress;
    decompress_into_with_algo(packed, &mut pe, algorithm).unwrap();
    assert!(pe.starts_with(b"MZ"));
    assert_eq!(&pe[0x200..0x203], [0x31, 0xc0, 0xc3]);
}

#[test]
fn a_driver_says_its_word_before_it_reports_success() {
    let pe = EfiImage::x64().says("ok").pe(1);
    let code = [
        0xb0, b'o', 0xe6, 0xe9, 0xb0, b'k', 0xe6, 0xe9, 0x31, 0xc0, 0xc3,
    ];
    assert!(pe[0x200..].starts_with(&code));
}

#[test]
fn nvidias_extension_overrides_length_and_last_bit() {
    let bytes = maker()
        .image(Image::legacy(0xf800).npde().claims(0x1_0000))
        .image(Image::efi(EfiImage::x64()).npde().last(true))
        .image(Image::other(0xe0, 0x1000).npde())
        .build();
    let rom = Rom::parse(&bytes);
    assert_eq!(rom.verdict, Verdict::Good, "{:?}", rom.problems);
    assert_eq!(rom.images.len(), 3);
    assert_eq!(rom.images[0].length, 0xf800);
    assert_eq!(rom.images[0].pcir.image_length, 0x1_0000);
    assert!(rom.images[1].pcir.last && !rom.images[1].last && rom.images[2].last);
    assert_eq!(rom.images[2].kind, ImageType::Other(0xe0));
}

#[test]
fn decoys_inside_images_are_not_images() {
    let bytes = maker()
        .image(Image::legacy(0xf800).decoys())
        .image(Image::efi(EfiImage::x64().data(0x8000)).decoys())
        .build();
    let decoys = bytes
        .chunks(512)
        .filter(|block| block.starts_with(&[0x55, 0xaa]))
        .count();
    assert!(decoys > 30, "{decoys}");
    let rom = Rom::parse(&bytes);
    assert_eq!(rom.images.len(), 2);
    assert_eq!(rom.verdict, Verdict::Good, "{:?}", rom.problems);
}

#[test]
fn further_device_ids_are_listed() {
    let devices = [DeviceId(0x0fc1), DeviceId(0x0fc2)];
    let rom = Rom::parse(&maker().devices(&devices).legacy(0x1000).build());
    assert_eq!(rom.images[0].pcir.devices, devices);
    assert_eq!(problems(&rom), []);
}

#[test]
fn each_chosen_fault_is_the_one_that_is_found() {
    let legacy = || Image::legacy(0x1000);
    let found = [
        (
            maker().image(legacy().wrong_checksum()),
            ProblemId::Checksum,
        ),
        (maker().image(legacy().last(false)), ProblemId::LastMissing),
        (maker().image(legacy().claims(0)), ProblemId::ZeroLength),
        (
            maker().legacy(0x1000).truncated(0xa00),
            ProblemId::Truncated,
        ),
        (
            maker().leading(FileHeader::Nvidia(0x600)).legacy(0x1000),
            ProblemId::LeadingData,
        ),
        (
            maker().leading(FileHeader::Data(0xa00)).legacy(0x1000),
            ProblemId::LeadingData,
        ),
        (
            maker().legacy(0x1000).trailing(Trailing::Data(700)),
            ProblemId::TrailingData,
        ),
        (
            maker().legacy(0x1000).trailing(Trailing::Padding(0xff, 64)),
            ProblemId::TrailingPadding,
        ),
        (
            maker()
                .image(Image::efi(EfiImage::x64()).last(false))
                .trailing(Trailing::Data(700)),
            ProblemId::ChainBroken,
        ),
    ];
    for (maker, id) in found {
        assert_eq!(problems(&Rom::parse(&maker.build())), [id], "{maker:?}");
    }
}

#[test]
fn an_image_can_name_another_card_than_its_rom() {
    let other = FunctionId::new(0x1002, 0x67df);
    let bytes = maker()
        .image(Image::legacy(0x1000).id(other))
        .efi(EfiImage::x64())
        .build();
    let rom = Rom::parse(&bytes);
    let ids = rom.images.iter().map(|image| (image.vendor, image.device));
    let expected = [other, CARD].map(|id| (id.vendor, id.device));
    assert_eq!(ids.collect::<Vec<_>>(), expected);
}

#[test]
fn a_flash_chip_is_filled_up_to_a_power_of_two() {
    let bytes = maker()
        .legacy(0xf800)
        .trailing(Trailing::ToPowerOfTwo(0xff))
        .build();
    assert_eq!(bytes.len(), 0x1_0000);
    assert_eq!(Rom::parse(&bytes).trailing, Behind::Padding(0x800));
}

#[test]
fn the_same_description_gives_the_same_bytes_and_another_card_gives_others() {
    let other = RomMaker::new(FunctionId::new(0x1002, 0x67df));
    assert_eq!(maker().legacy(0x800).build(), maker().legacy(0x800).build());
    assert_ne!(maker().legacy(0x800).build(), other.legacy(0x800).build());
}
