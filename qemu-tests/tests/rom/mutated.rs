use std::thread;

use option_rom::{MendOptions, Part, Recipe, Rom, Trailing as Behind, Verdict, build, mend};
use pci::{ClassCode, DeviceId, FunctionId, VendorId};
use qemu_tests::skip;
use rom_maker::{EfiImage, FileHeader, Image, RomMaker, Trailing};

use crate::packages;

/// Mutants of all ROMs together.
const MUTANTS: u64 = 200_000;

/// Five ROMs of different kinds: a VGA BIOS, iPXE for both firmwares, iPXE with EDK2's compression, a
/// flash dump like NVIDIA's with its own images at the end, and plain drivers behind an x86 image.
fn roms() -> Result<Vec<Vec<u8>>, String> {
    let card = FunctionId::new(0x10de, 0x0fc6);
    let packed = Recipe {
        vendor: VendorId(0x1002),
        devices: vec![DeviceId(0x164c), DeviceId(0x1636)],
        class: ClassCode(0x03_00_00),
        revision: 1,
        parts: vec![
            Part::Legacy(packages::read("pxe-ne2k_pci.rom")?),
            Part::Efi {
                driver: packages::read("fbx64.efi")?,
                compress: true,
            },
        ],
    };
    let nvidia = RomMaker::new(card)
        .devices(&[DeviceId(0x0fc1), DeviceId(0x0fc2)])
        .leading(FileHeader::Nvidia(0x600))
        .image(Image::legacy(0x5000).npde().last(true).decoys())
        .image(Image::efi(EfiImage::x64().compressed()).npde())
        .image(Image::other(0xe0, 0x1000).npde())
        .trailing(Trailing::ToPowerOfTwo(0xff));
    let drivers = RomMaker::new(card)
        .legacy(0x2000)
        .efi(EfiImage::x64())
        .efi(EfiImage::x64().compressed().data(20_000));
    Ok(vec![
        packages::read("vgabios-stdvga.bin")?,
        packages::read("efi-e1000.rom")?,
        build(&packed).map_err(|error| error.to_string())?,
        nvidia.build(),
        drivers.build(),
    ])
}

/// A few looks at each byte; what may be unpacked, and a symbol for each byte of it at most.
fn most_steps(length: usize) -> u64 {
    (100 * length + 2 * (16 << 20)) as u64
}

/// What must hold for any bytes.
fn check(bytes: &[u8]) -> Rom {
    let (rom, steps) = Rom::parse_counted(bytes);
    assert!(steps <= most_steps(bytes.len()), "{steps} steps");
    assert_eq!(rom.verdict, Verdict::of(&rom.problems));
    let mut at = rom.leading;
    for image in &rom.images {
        assert_eq!(image.offset, at, "images follow one another");
        assert!(image.length >= 512 && image.offset < bytes.len());
        at = image.end();
    }
    let behind = match rom.trailing {
        Behind::None => 0,
        Behind::Padding(length) | Behind::Data(length) => length,
    };
    assert_eq!(
        at.min(bytes.len()) + behind,
        bytes.len(),
        "every byte is spoken of"
    );
    rom
}

/// Numbers that repeat from run to run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        // What fields hold at their edges, as often as anything else.
        let edges = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];
        match self.below(2) {
            0 => edges[self.below(edges.len())],
            _ => self.next().to_le_bytes()[0],
        }
    }
}

/// A ROM with something wrong in it: mostly in the headers, where lengths and offsets are.
fn mutant(random: &mut Random, rom: &[u8], headers: &[usize], other: &[u8]) -> Vec<u8> {
    let mut bytes = rom.to_vec();
    for _ in 0..=random.below(8) {
        match random.below(10) {
            0..6 => {
                let header = headers[random.below(headers.len())];
                let at = header + random.below(0x180);
                let value = random.byte();
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = value);
            }
            6 | 7 => {
                let at = random.below(bytes.len());
                bytes
                    .get_mut(at)
                    .into_iter()
                    .for_each(|byte| *byte ^= 1 << random.below(8));
            }
            8 => {
                let (at, from) = (random.below(bytes.len()), random.below(other.len()));
                let piece = other[from..].iter().take(random.below(600)).copied();
                bytes
                    .iter_mut()
                    .skip(at)
                    .zip(piece)
                    .for_each(|(byte, new)| *byte = new);
            }
            _ => bytes.truncate(random.below(bytes.len()) + 1),
        }
    }
    bytes
}

fn mutate(roms: &[Vec<u8>], number: usize, count: u64) {
    let rom = &roms[number];
    let parsed = Rom::parse(rom);
    let pe = |image: &option_rom::Image| image.efi.map(|efi| image.offset + efi.pe_offset);
    let images = parsed.images.iter();
    let headers: Vec<usize> = images
        .flat_map(|image| [Some(image.offset), pe(image)])
        .flatten()
        .collect();
    let mut random = Random(number as u64);
    for index in 0..count {
        let other = &roms[random.below(roms.len())];
        let bytes = mutant(&mut random, rom, &headers, other);
        check(&bytes);
        if index % 16 == 0 {
            let mended = mend(
                &bytes,
                MendOptions {
                    checksum: index % 32 == 0,
                },
            );
            mended
                .into_iter()
                .for_each(|mended| assert_eq!(check(&mended.bytes), mended.rom));
        }
    }
}

#[test]
fn two_hundred_thousand_mutated_roms_end_in_a_verdict() {
    let roms = match roms() {
        Ok(roms) => roms,
        Err(why) => return skip(&why),
    };
    let count = MUTANTS / roms.len() as u64;
    thread::scope(|scope| {
        for number in 0..roms.len() {
            let roms = &roms;
            scope.spawn(move || mutate(roms, number, count));
        }
    });
}

#[test]
fn a_rom_that_is_cut_anywhere_is_never_good() {
    let roms = match roms() {
        Ok(roms) => roms,
        Err(why) => return skip(&why),
    };
    let cut_everywhere = |rom: &Vec<u8>| {
        let whole = Rom::parse(rom);
        assert_ne!(whole.verdict, Verdict::Bad, "{:?}", whole.problems);
        let end = whole.images.last().unwrap().end();
        for length in 0..rom.len() {
            let verdict = check(&rom[..length]).verdict;
            let within = length < end;
            assert!(
                !within || verdict != Verdict::Good,
                "cut to {length}: {verdict:?}"
            );
        }
    };
    thread::scope(|scope| {
        for rom in &roms {
            scope.spawn(move || cut_everywhere(rom));
        }
    });
}
