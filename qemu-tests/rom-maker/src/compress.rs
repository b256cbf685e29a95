/// Matches reach back so far (UEFI specification 2.10, 19.2.1).
const WINDOW: usize = 8192;
const SHORTEST: usize = 3;
const LONGEST: usize = 256;
/// Symbols in one block; the field has 16 bits.
const BLOCK: usize = 0xffff;
/// Symbols of the character and length set: 256 bytes, 254 lengths.
const CHARACTERS: u16 = 510;
/// Symbols of the position set: bit lengths 0 to 13.
const POSITIONS: u16 = 14;
/// Buckets of the match finder.
const BUCKETS: usize = 4096;

/// `data` in the compression of the UEFI specification (2.10, chapter 19), sizes in front.
///
/// Matches are real; the code lengths are the same for every file, so a compressor that counts
/// symbols packs tighter. Every decoder takes it: the lengths are written out as the format wants.
pub fn compress(data: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    for symbols in find_matches(data).chunks(BLOCK) {
        bits.put(u32::try_from(symbols.len()).unwrap_or(0), 16);
        put_code_lengths(&mut bits);
        for symbol in symbols {
            symbol.put(&mut bits);
        }
    }
    // Decoders look ahead of the last symbol.
    bits.put(0, 32);
    let packed = bits.finish();
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [&size(packed.len())[..], &size(data.len()), &packed].concat()
}

/// A byte, or a repetition of what came before.
#[derive(Clone, Copy)]
enum Symbol {
    Byte(u8),
    /// Length, and distance less one.
    Match(u16, u16),
}

impl Symbol {
    fn put(self, bits: &mut Bits) {
        match self {
            Self::Byte(byte) => put_character(bits, byte.into()),
            Self::Match(length, position) => {
                put_character(bits, 256 + length - 3);
                let width = 16 - position.leading_zeros();
                put_position_width(bits, width);
                if width > 1 {
                    bits.put(u32::from(position) & !(1 << (width - 1)), width - 1);
                }
            }
        }
    }
}

/// 510 symbols fill a prefix code when two have 8 bits and 508 have 9.
fn put_character(bits: &mut Bits, symbol: u16) {
    if symbol < 2 {
        bits.put(symbol.into(), 8);
    } else {
        bits.put(u32::from(symbol) + 2, 9);
    }
}

/// 14 symbols fill a prefix code when two have 3 bits and 12 have 4.
fn put_position_width(bits: &mut Bits, symbol: u32) {
    if symbol < 2 {
        bits.put(symbol, 3);
    } else {
        bits.put(symbol + 2, 4);
    }
}

/// The three sets' code lengths (19.2.3.1), which announce the two codes above.
fn put_code_lengths(bits: &mut Bits) {
    // Extra set: the only symbols are 10 (a length of 8) and 11 (9), with one bit each. Behind the
    // third length stands how many zeros follow it: three of the seven.
    bits.put(12, 5);
    bits.put(0, 9);
    bits.put(3, 2);
    bits.put(0, 12);
    bits.put(0b001_001, 6);
    bits.put(CHARACTERS.into(), 9);
    for symbol in 0..CHARACTERS {
        bits.put(u32::from(symbol >= 2), 1);
    }
    bits.put(POSITIONS.into(), 4);
    for symbol in 0..POSITIONS {
        bits.put(if symbol < 2 { 3 } else { 4 }, 3);
    }
}

/// Takes the last place where the same three bytes began, if any, and as much of it as agrees.
fn find_matches(data: &[u8]) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let mut seen: Vec<Option<usize>> = vec![None; BUCKETS];
    let mut at = 0;
    while let Some(byte) = data.get(at) {
        let found = remember(&mut seen, data, at)
            .filter(|start| at - start <= WINDOW)
            .map(|start| (at - start - 1, agreement(data, start, at)))
            .filter(|(_, length)| *length >= SHORTEST)
            .and_then(|(position, length)| {
                Some((u16::try_from(length).ok()?, u16::try_from(position).ok()?))
            });
        match found {
            Some((length, position)) => {
                symbols.push(Symbol::Match(length, position));
                for skipped in at + 1..at + usize::from(length) {
                    remember(&mut seen, data, skipped);
                }
                at += usize::from(length);
            }
            None => {
                symbols.push(Symbol::Byte(*byte));
                at += 1;
            }
        }
    }
    symbols
}

/// Notes that `at` begins with its three bytes; returns who did so before.
fn remember(seen: &mut [Option<usize>], data: &[u8], at: usize) -> Option<usize> {
    let &[a, b, c] = data.get(at..at + SHORTEST)? else {
        return None;
    };
    let hash = (usize::from(a) << 4) ^ (usize::from(b) << 2) ^ usize::from(c) ^ usize::from(b) << 7;
    seen.get_mut(hash % BUCKETS)?.replace(at)
}

fn agreement(data: &[u8], start: usize, at: usize) -> usize {
    let earlier = data.iter().skip(start);
    let later = data.iter().skip(at).take(LONGEST);
    earlier.zip(later).take_while(|(a, b)| a == b).count()
}

/// Bits, the most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u8,
    filled: u32,
}

impl Bits {
    fn put(&mut self, value: u32, width: u32) {
        for shift in (0..width).rev() {
            self.pending = self.pending << 1 | u8::from(value >> shift & 1 == 1);
            self.filled += 1;
            if self.filled == 8 {
                self.bytes.push(self.pending);
                (self.pending, self.filled) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.bytes.push(self.pending << (8 - self.filled));
        }
        self.bytes
    }
}

#[cfg(test)]
#[expect(deprecated, reason = "the decoder is the same one under its old name")]
mod tests {
    use proptest::prelude::*;
    use uefi_decompress::{DecompressionAlgorithm, decompress_into_with_algo};

    use super::*;

    fn unpack(packed: &[u8], length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        let algorithm = DecompressionAlgorithm::UefiDecompress;
        decompress_into_with_algo(packed, &mut data, algorithm).unwrap();
        data
    }

    #[test]
    fn what_repeats_gets_much_shorter_and_comes_back_whole() {
        let data = b"a driver and its zeros\0\0\0\0\0\0\0\0".repeat(3000);
        let packed = compress(&data);
        assert!(packed.len() < data.len() / 20, "{}", packed.len());
        assert_eq!(unpack(&packed, data.len()), data);
    }

    #[test]
    fn a_file_of_several_blocks_comes_back_whole() {
        let data = crate::bytes::filler(7, 200_000);
        assert_eq!(unpack(&compress(&data), data.len()), data);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_whole(data in prop::collection::vec(0_u8..4, 1..3000)) {
            prop_assert_eq!(unpack(&compress(&data), data.len()), data);
        }
    }
}
