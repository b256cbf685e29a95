//! The compression of the UEFI specification (2.10, chapter 19): LZ77 over a window of 8 KiB, then
//! Huffman codes for blocks of some thousand symbols. Packed data starts with two 32-bit sizes, packed
//! and unpacked.

mod bits;
mod block;
mod code;
mod decompress;
mod dictionary;
mod format;
mod huffman;

pub use decompress::{DecompressError, decompress};
pub(crate) use decompress::{Sizes, decompress_counted};

use block::Blocks;
use dictionary::Matcher;
use format::{SHORTEST, Symbol};

/// Packs `data` as EDK2's tools do (BaseTools/Source/C/Common/EfiCompress.c): the same matches and the
/// same blocks, so the same bytes. The result has the two sizes in front, and can be longer than `data`.
pub fn compress(data: &[u8]) -> Vec<u8> {
    let mut blocks = Blocks::default();
    let mut matcher = Matcher::new(data);
    let mut found = matcher.found();
    while matcher.remaining() > 0 {
        let byte = matcher.byte();
        matcher.advance();
        let next = matcher.found();
        if found.length < SHORTEST || next.length > found.length {
            blocks.push(Symbol::Byte(byte));
            found = next;
            continue;
        }
        blocks.push(Symbol::Copy {
            length: found.length,
            distance: found.distance,
        });
        for _ in 1..found.length {
            matcher.advance();
        }
        found = matcher.found();
    }
    blocks.finish(data.len())
}

#[cfg(test)]
#[expect(deprecated, reason = "the peer is the same one under its old name")]
mod tests {
    use proptest::prelude::*;
    use uefi_decompress::{DecompressionAlgorithm, decompress_into_with_algo};

    use super::*;

    /// What another decoder makes of it. It looks ahead of the last symbol, so bytes follow.
    fn peer(packed: &[u8], length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        let padded = [packed, &[0; 4]].concat();
        let algorithm = DecompressionAlgorithm::UefiDecompress;
        decompress_into_with_algo(&padded, &mut data, algorithm).unwrap();
        data
    }

    fn check(data: &[u8]) {
        let packed = compress(data);
        assert_eq!(decompress(&packed, data.len()).unwrap(), data);
        assert_eq!(peer(&packed, data.len()), data);
    }

    #[test]
    fn what_repeats_gets_much_shorter() {
        let data = b"a driver and its zeros\0\0\0\0\0\0\0\0".repeat(3000);
        assert!(compress(&data).len() < data.len() / 100);
        check(&data);
    }

    #[test]
    fn the_window_can_be_filled_many_times() {
        let mut state = 1_u32;
        let mut data = Vec::new();
        for at in 0..60_000_usize {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [.., random] = state.to_le_bytes();
            let back = data.get(at.wrapping_sub(usize::from(random) * 40)).copied();
            data.push(if random & 3 == 0 {
                random
            } else {
                back.unwrap_or(0)
            });
        }
        check(&data);
    }

    #[test]
    fn one_value_alone_has_codes_without_bits() {
        for length in [1, 2, 3, 4, 300, 20_000] {
            check(&vec![7; length]);
        }
    }

    proptest! {
        #[test]
        fn few_values_come_back_whole(data in prop::collection::vec(0_u8..4, 1..3000)) {
            check(&data);
        }

        #[test]
        fn any_bytes_come_back_whole(data in prop::collection::vec(any::<u8>(), 1..3000)) {
            check(&data);
        }

        #[test]
        fn pieces_that_repeat_come_back_whole(
            piece in prop::collection::vec(any::<u8>(), 1..400),
            other in prop::collection::vec(any::<u8>(), 0..20),
            times in 1..60_usize,
        ) {
            check(&[piece, other].concat().repeat(times));
        }
    }
}
