use super::bits::BitReader;
use super::code::Code;
use super::format::{
    CHARACTER_BITS, CHARACTERS, COUNT_BITS, EXTRA_BITS, EXTRA_ZEROS_AFTER, EXTRAS, LENGTH_SYMBOL,
    LONG_RUN, LONGEST_CODE, POSITION_BITS, SHORT_RUN, SHORTEST,
};
use crate::fields::u32_at;

/// Why packed data cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The two sizes at the start are not there.
    #[error("the compressed driver is shorter than its own header")]
    NoHeader,
    /// Less is there than the header says.
    #[error("the compressed driver has {packed} bytes, and {there} are there")]
    Short {
        /// Packed bytes by the header.
        packed: usize,
        /// Bytes behind the header.
        there: usize,
    },
    /// One of the sizes is zero.
    #[error("the compressed driver is empty")]
    Empty,
    /// More would come out than was allowed.
    #[error("the compressed driver says that it unpacks to {unpacked} bytes; the most is {most}")]
    Large {
        /// Unpacked bytes by the header.
        unpacked: usize,
        /// What was allowed.
        most: usize,
    },
    /// The bits end before the data is whole.
    #[error("the compressed driver ends after {unpacked} unpacked bytes")]
    Ends {
        /// Bytes that came out.
        unpacked: usize,
    },
    /// The code lengths of a block are not those of a prefix code.
    #[error("the compressed driver has code lengths of no code after {unpacked} unpacked bytes")]
    NoCode {
        /// Bytes that came out.
        unpacked: usize,
    },
    /// A repetition starts before the data does.
    #[error("the compressed driver repeats bytes from before its start at {unpacked}")]
    Distance {
        /// Bytes that came out.
        unpacked: usize,
    },
}

/// The two sizes at the start of packed data (UEFI specification 2.10, 19.2), in bytes.
pub(crate) struct Sizes {
    pub(crate) packed: usize,
    pub(crate) unpacked: usize,
}

/// Bytes of the two sizes.
const HEADER: usize = 8;

impl Sizes {
    /// Reads them, and checks them against what is there.
    pub(crate) fn read(data: &[u8]) -> Result<Self, DecompressError> {
        let size = |offset| u32_at(data, offset).and_then(|size| usize::try_from(size).ok());
        let (Some(packed), Some(unpacked)) = (size(0), size(4)) else {
            return Err(DecompressError::NoHeader);
        };
        let there = data.len().saturating_sub(HEADER);
        match (packed, unpacked) {
            (0, _) | (_, 0) => Err(DecompressError::Empty),
            _ if packed > there => Err(DecompressError::Short { packed, there }),
            _ => Ok(Self { packed, unpacked }),
        }
    }
}

/// Unpacks data with the two sizes in front; what stands behind it is not looked at. Takes no memory
/// for more than `most` bytes.
pub fn decompress(data: &[u8], most: usize) -> Result<Vec<u8>, DecompressError> {
    decompress_counted(data, most, &mut 0)
}

/// The same; adds the number of symbols and code lengths that were read to `steps`.
pub(crate) fn decompress_counted(
    data: &[u8],
    most: usize,
    steps: &mut usize,
) -> Result<Vec<u8>, DecompressError> {
    let Sizes { packed, unpacked } = Sizes::read(data)?;
    if unpacked > most {
        return Err(DecompressError::Large { unpacked, most });
    }
    let stream = data.get(HEADER..HEADER + packed).unwrap_or_default();
    let mut decoder = Decoder {
        bits: BitReader::new(stream),
        out: Vec::with_capacity(unpacked),
        steps,
    };
    decoder.unpack(unpacked)?;
    Ok(decoder.out)
}

struct Decoder<'a, 'b> {
    bits: BitReader<'a>,
    out: Vec<u8>,
    steps: &'b mut usize,
}

/// The codes of one block.
struct Block {
    symbols: usize,
    characters: Code,
    positions: Code,
}

impl Decoder<'_, '_> {
    fn unpack(&mut self, length: usize) -> Result<(), DecompressError> {
        while self.out.len() < length {
            let block = self.block()?;
            for _ in 0..block.symbols {
                if self.out.len() >= length {
                    break;
                }
                self.symbol(&block, length)?;
            }
        }
        Ok(())
    }

    fn symbol(&mut self, block: &Block, length: usize) -> Result<(), DecompressError> {
        *self.steps += 1;
        let character = block.characters.read(&mut self.bits);
        let character = character.ok_or_else(|| self.no_code())?;
        if let Ok(byte) = u8::try_from(character) {
            self.out.push(byte);
        } else {
            let distance = self.distance(block)?;
            let start = self.out.len().checked_sub(distance + 1);
            let unpacked = self.out.len();
            let start = start.ok_or(DecompressError::Distance { unpacked })?;
            let end = length.min(unpacked + character - 256 + SHORTEST);
            // The repetition may reach into what it writes, so it goes by pieces of what is there.
            while self.out.len() < end {
                let there = self.out.len();
                let piece = (end - there).min(there - start);
                self.out.extend_from_within(start..start + piece);
            }
        }
        self.still_there()
    }

    fn distance(&mut self, block: &Block) -> Result<usize, DecompressError> {
        let position = block.positions.read(&mut self.bits);
        Ok(match position.ok_or_else(|| self.no_code())? {
            short @ (0 | 1) => short,
            width => 1 << (width - 1) | self.bits.take(width - 1),
        })
    }

    fn block(&mut self) -> Result<Block, DecompressError> {
        // EDK2's decoder counts down from the field in 16 bits, so zero is the most.
        let symbols = match self.bits.take(COUNT_BITS) {
            0 => 1 << COUNT_BITS,
            count => count,
        };
        let extras = self.short_lengths(EXTRA_BITS, EXTRAS, Some(EXTRA_ZEROS_AFTER))?;
        let characters = self.character_lengths(&extras)?;
        // A field of four bits counts at most 15, which is more than there are positions, and a
        // distance is checked when it is used.
        let positions = self.short_lengths(POSITION_BITS, 1 << POSITION_BITS, None)?;
        self.still_there()?;
        Ok(Block {
            symbols,
            characters: characters.prepared_for(symbols),
            positions: positions.prepared_for(symbols),
        })
    }

    /// The code of the extra or the position set (19.2.3.1): three bits a length, and above six one
    /// more for each.
    fn short_lengths(
        &mut self,
        count_bits: usize,
        most: usize,
        zeros_after: Option<usize>,
    ) -> Result<Code, DecompressError> {
        let count = self.bits.take(count_bits);
        if count == 0 {
            return self.only(count_bits, most);
        }
        let mut lengths = Vec::with_capacity(count);
        while lengths.len() < count {
            let mut length = self.bits.take(3);
            if length == 7 {
                while self.bits.take(1) == 1 && length <= LONGEST_CODE {
                    length += 1;
                }
            }
            lengths.push(length);
            if zeros_after == Some(lengths.len()) {
                let zeros = self.bits.take(2);
                lengths.resize(lengths.len() + zeros, 0);
            }
        }
        self.code(&lengths, most)
    }

    /// The code of the character and length set, whose lengths are packed by the extra set.
    fn character_lengths(&mut self, extras: &Code) -> Result<Code, DecompressError> {
        let count = self.bits.take(CHARACTER_BITS);
        if count == 0 {
            return self.only(CHARACTER_BITS, CHARACTERS);
        }
        let mut lengths = Vec::with_capacity(count);
        while lengths.len() < count {
            let (length, times) = match extras.read(&mut self.bits) {
                Some(0) => (0, 1),
                Some(1) => (0, self.run(SHORT_RUN)),
                Some(2) => (0, self.run(LONG_RUN)),
                Some(symbol) => (symbol - LENGTH_SYMBOL, 1),
                None => return Err(self.no_code()),
            };
            lengths.resize(lengths.len() + times, length);
        }
        self.code(&lengths, CHARACTERS)
    }

    /// The length of a run of zeros.
    fn run(&mut self, (from, width): (usize, usize)) -> usize {
        from + self.bits.take(width)
    }

    fn only(&mut self, bits: usize, most: usize) -> Result<Code, DecompressError> {
        let symbol = self.bits.take(bits);
        if symbol >= most {
            return Err(self.no_code());
        }
        Ok(Code::only(symbol))
    }

    fn code(&mut self, lengths: &[usize], most: usize) -> Result<Code, DecompressError> {
        *self.steps += lengths.len();
        if lengths.len() > most {
            return Err(self.no_code());
        }
        Code::of_lengths(lengths).ok_or_else(|| self.no_code())
    }

    fn no_code(&self) -> DecompressError {
        let unpacked = self.out.len();
        DecompressError::NoCode { unpacked }
    }

    fn still_there(&self) -> Result<(), DecompressError> {
        let unpacked = self.out.len();
        if self.bits.is_over() {
            return Err(DecompressError::Ends { unpacked });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compress;

    const MOST: usize = 1 << 16;

    fn with_sizes(packed: u32, unpacked: u32, stream: &[u8]) -> Vec<u8> {
        [&packed.to_le_bytes()[..], &unpacked.to_le_bytes(), stream].concat()
    }

    #[test]
    fn sizes_that_cannot_be_true_are_refused_before_anything_is_unpacked() {
        let stream = [0; 8];
        let cases = [
            (vec![1, 0, 0], DecompressError::NoHeader),
            (with_sizes(0, 5, &stream), DecompressError::Empty),
            (with_sizes(8, 0, &stream), DecompressError::Empty),
            (
                with_sizes(9, 5, &stream),
                DecompressError::Short {
                    packed: 9,
                    there: 8,
                },
            ),
            (
                with_sizes(8, 70_000, &stream),
                DecompressError::Large {
                    unpacked: 70_000,
                    most: MOST,
                },
            ),
        ];
        for (data, error) in cases {
            assert_eq!(decompress(&data, MOST), Err(error));
        }
    }

    #[test]
    fn a_repetition_from_before_the_start_is_refused() {
        // One block whose only character is the longest repetition, and whose only distance is 0.
        let mut bits = super::super::bits::BitWriter::default();
        for (value, width) in [(1, 16), (0, 10), (0, 9), (509, 9), (0, 8)] {
            bits.put(value, width);
        }
        let stream = bits.finish();
        let data = with_sizes(u32::try_from(stream.len()).unwrap(), 300, &stream);
        assert_eq!(
            decompress(&data, MOST),
            Err(DecompressError::Distance { unpacked: 0 })
        );
    }

    #[test]
    fn packed_data_that_is_cut_anywhere_never_passes_for_whole() {
        let whole: Vec<u8> = (0..4000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let packed = compress(&whole);
        let unpacked = u32::try_from(whole.len()).unwrap();
        for length in 8..packed.len() - 1 {
            let stream = &packed[8..length];
            let cut = with_sizes(u32::try_from(stream.len()).unwrap(), unpacked, stream);
            assert!(decompress(&cut, MOST).is_err(), "cut to {length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bits_end_soon(stream in prop::collection::vec(any::<u8>(), 0..300)) {
            let packed = u32::try_from(stream.len()).unwrap();
            let data = with_sizes(packed, u32::try_from(MOST).unwrap(), &stream);
            let mut steps = 0;
            let _ = decompress_counted(&data, MOST, &mut steps);
            prop_assert!(steps <= MOST + 100 * stream.len() + 2048);
        }

        #[test]
        fn packed_data_with_changed_bytes_ends_soon(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let whole: Vec<u8> = (0..600_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
            let mut data = compress(&whole);
            for (index, value) in changes {
                let at = index.index(data.len());
                data[at] = value;
            }
            let _ = decompress(&data, MOST);
        }
    }
}
