/// The byte at `offset`.
pub(crate) fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// The little-endian 16-bit field at `offset`, if all of it is there.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

/// The little-endian 32-bit field at `offset`, if all of it is there.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// Writes `value` at `offset`, as much of it as has room.
pub(crate) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    let places = bytes.iter_mut().skip(offset);
    for (place, byte) in places.zip(value) {
        *place = *byte;
    }
}

/// A length that the specification counts in units of 512 bytes.
pub(crate) fn units(count: u16) -> usize {
    usize::from(count) * 512
}

/// Whether every byte is `fill`. By words and without an early end inside a block: dumps end in
/// megabytes of padding, and the release build is made for size, without the compiler's vectors.
pub(crate) fn is_filled(bytes: &[u8], fill: u8) -> bool {
    let pattern = u64::from_ne_bytes([fill; 8]);
    let (blocks, rest) = bytes.as_chunks::<4096>();
    let block_is_filled = |block: &[u8; 4096]| {
        let (words, _) = block.as_chunks::<8>();
        words
            .iter()
            .fold(0, |seen, word| seen | (u64::from_ne_bytes(*word) ^ pattern))
            == 0
    };
    blocks.iter().all(block_is_filled) && rest.iter().all(|byte| *byte == fill)
}

/// Every other byte of a word: four counters of sixteen bits.
const LANES: u64 = 0x00ff_00ff_00ff_00ff;
/// Multiplied by it, a word has the sum of its four counters in the highest.
const GATHER: u64 = 0x0001_0001_0001_0001;

/// The sum of all bytes modulo 256. By words, for the reason above; the counters of a block cannot
/// overflow.
pub(crate) fn sum(bytes: &[u8]) -> u8 {
    let (blocks, rest) = bytes.as_chunks::<1024>();
    let block_sum = |block: &[u8; 1024]| {
        let (words, _) = block.as_chunks::<8>();
        let lanes = words.iter().fold(0_u64, |lanes, word| {
            let word = u64::from_ne_bytes(*word);
            lanes.wrapping_add((word & LANES) + ((word >> 8) & LANES))
        });
        let [low, ..] = ((lanes & LANES).wrapping_mul(GATHER) >> 48).to_le_bytes();
        low
    };
    let blocks = blocks
        .iter()
        .fold(0_u8, |sum, block| sum.wrapping_add(block_sum(block)));
    rest.iter()
        .fold(blocks, |sum, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_by_words_is_the_sum_of_the_bytes(
            bytes in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..5000),
        ) {
            let expected = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            prop_assert_eq!(sum(&bytes), expected);
        }

        #[test]
        fn one_other_byte_is_found_wherever_it_is(
            length in 1..10_000_usize,
            place in any::<prop::sample::Index>(),
            fill in any::<u8>(),
        ) {
            let mut bytes = vec![fill; length];
            prop_assert!(is_filled(&bytes, fill));
            bytes[place.index(length)] ^= 0x10;
            prop_assert!(!is_filled(&bytes, fill));
        }
    }
}
