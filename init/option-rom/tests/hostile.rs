//! Whatever the bytes are, the parser ends soon and keeps its promises.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod support;

use option_rom::{Rom, Trailing, Verdict, compress};
use proptest::prelude::*;
use support::{PE, chain, efi, graphics_card, image, pe_file, x86};

/// A few looks at each byte, and what may be unpacked: its bytes, and a symbol for each at most.
fn most_steps(length: usize) -> u64 {
    let headers = 100;
    (headers * length + 2 * (16 << 20)) as u64
}

/// What must hold for any bytes.
fn check(bytes: &[u8]) {
    let (rom, steps) = Rom::parse_counted(bytes);
    assert!(steps <= most_steps(bytes.len()), "{steps} steps");
    assert_eq!(rom.verdict, Verdict::of(&rom.problems));
    let mut at = rom.leading;
    for image in &rom.images {
        assert_eq!(image.offset, at, "images follow one another");
        assert!(image.length >= 512 && image.offset < bytes.len());
        at = image.end();
    }
    let trailing = match rom.trailing {
        Trailing::None => 0,
        Trailing::Padding(length) | Trailing::Data(length) => length,
    };
    assert_eq!(
        at.min(bytes.len()) + trailing,
        bytes.len(),
        "every byte is spoken of"
    );
    let text = serde_json::to_string(&rom).unwrap();
    assert_eq!(serde_json::from_str::<Rom>(&text).unwrap(), rom);
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        graphics_card(),
        chain(&[x86(8).npde(3, false), efi(3)]),
        chain(&[
            x86(2).devices(&[1, 2, 3]).not_last(),
            efi(4).npde(3, false),
            image(0, 2).vendor(),
        ]),
        [vec![0x11; 0x600], graphics_card(), vec![0xff; 4096]].concat(),
        efi(3)
            .with(0x0c, &[1, 0])
            .with(PE, &compress(&pe_file(3000)))
            .0,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_are_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        check(&bytes);
    }

    #[test]
    fn a_rom_with_some_bytes_changed_is_parsed(
        seed in 0..5_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        check(&bytes);
    }

    #[test]
    fn a_rom_with_its_headers_changed_is_parsed(
        seed in 0..5_usize,
        changes in proptest::collection::vec((0..7_usize, 0..0x180_usize, any::<u8>()), 1..12),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        for (block, within, value) in changes {
            let at = (block * 512 + within) % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(length.index(bytes.len()) + 1);
        check(&bytes);
    }
}

#[test]
fn sixteen_mebibytes_of_the_worst_take_one_pass() {
    let tiny = x86(1).not_last();
    let many_images = tiny.0.repeat(32 * 1024);
    let mut no_image = [0x55, 0xaa].repeat(8 << 20);
    no_image[0] = 0;
    let all_in_one = {
        let mut bytes = efi(0xffff).0;
        bytes[0x200 + 0x46..0x200 + 0x48].copy_from_slice(&[96, 0]);
        bytes
    };
    // A block of one symbol that takes no bits: 65,536 repetitions out of nothing.
    let bomb = {
        let sizes = [12_u32, 400_000].map(u32::to_le_bytes).concat();
        let stream = [0, 1, 0, 0, 0x1f, 0xe0, 0, 0];
        let stored = [sizes, stream.to_vec()].concat();
        let image = efi(3).with(0x0c, &[1, 0]).with(PE, &stored);
        image.with(0x55, &[0]).0.repeat(8 * 1024)
    };
    for bytes in [many_images, no_image, all_in_one, bomb] {
        check(&bytes);
    }
}
