use super::bits::BitWriter;
use super::format::{
    CHARACTER_BITS, CHARACTERS, COUNT_BITS, EXTRA_BITS, EXTRA_ZEROS_AFTER, EXTRAS, LENGTH_SYMBOL,
    LONG_RUN, POSITION_BITS, POSITIONS, SHORT_RUN, Symbol, Zeros, position,
};
use super::huffman::Huffman;

/// Bytes of the buffer in which EDK2's compressor collects a block: a byte of flags for eight symbols,
/// one for a byte and three for a repetition. A block ends where eight more might not fit.
const BUFFER: usize = 16 * 1024;
const GROUP: usize = 8;
const LARGEST_GROUP: usize = 3 * GROUP;

/// Symbols on their way into blocks, and the blocks that are written.
#[derive(Default)]
pub(super) struct Blocks {
    bits: BitWriter,
    symbols: Vec<Symbol>,
    /// Bytes that the symbols take in the buffer.
    buffered: usize,
}

impl Blocks {
    pub(super) fn push(&mut self, symbol: Symbol) {
        if self.symbols.len().is_multiple_of(GROUP) {
            if self.buffered >= BUFFER - LARGEST_GROUP {
                self.write();
            }
            self.buffered += 1;
        }
        self.buffered += match symbol {
            Symbol::Byte(_) => 1,
            Symbol::Copy { .. } => 3,
        };
        self.symbols.push(symbol);
    }

    /// Everything, with the sizes in front and the zero byte behind it that EDK2's compressor writes.
    pub(super) fn finish(mut self, unpacked: usize) -> Vec<u8> {
        self.write();
        let mut packed = self.bits.finish();
        packed.push(0);
        let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        [&size(packed.len())[..], &size(unpacked), &packed].concat()
    }

    fn write(&mut self) {
        let symbols = std::mem::take(&mut self.symbols);
        self.buffered = 0;
        let characters = Huffman::of(&counted(CHARACTERS, symbols.iter().map(|s| s.character())));
        let positions = Huffman::of(&counted(POSITIONS, symbols.iter().filter_map(position_of)));
        self.bits.put(symbols.len(), COUNT_BITS);
        self.write_characters(&characters);
        self.write_short(&positions, POSITION_BITS, None);
        for symbol in symbols {
            characters.write(symbol.character(), &mut self.bits);
            if let Symbol::Copy { distance, .. } = symbol {
                let width = position(distance);
                positions.write(width, &mut self.bits);
                self.bits.put(distance, width.saturating_sub(1));
            }
        }
    }

    /// The code lengths of the character and length set, packed by the extra set in front of them.
    fn write_characters(&mut self, characters: &Huffman) {
        if let Some(only) = characters.only() {
            for (value, width) in [
                (0, EXTRA_BITS),
                (0, EXTRA_BITS),
                (0, CHARACTER_BITS),
                (only, CHARACTER_BITS),
            ] {
                self.bits.put(value, width);
            }
            return;
        }
        let extras = packed_lengths(characters.lengths());
        let code = Huffman::of(&counted(EXTRAS, extras.iter().map(|extra| extra.symbol)));
        self.write_short(&code, EXTRA_BITS, Some(EXTRA_ZEROS_AFTER));
        self.bits.put(characters.lengths().len(), CHARACTER_BITS);
        for extra in extras {
            code.write(extra.symbol, &mut self.bits);
            self.bits.put(extra.rest, extra.width);
        }
    }

    /// The code lengths of the extra or the position set (UEFI specification 2.10, 19.2.3.1).
    fn write_short(&mut self, code: &Huffman, count_bits: usize, zeros_after: Option<usize>) {
        if let Some(only) = code.only() {
            self.bits.put(0, count_bits);
            self.bits.put(only, count_bits);
            return;
        }
        let lengths = code.lengths();
        self.bits.put(lengths.len(), count_bits);
        let mut at = 0;
        while let Some(length) = lengths.get(at) {
            at += 1;
            if *length < 7 {
                self.bits.put(*length, 3);
            } else {
                // As many ones as it is above four, and a zero.
                self.bits.put((1 << (length - 3)) - 2, length - 3);
            }
            if zeros_after == Some(at) {
                let following = lengths.iter().skip(at).chain(std::iter::repeat(&0));
                let zeros = following.take(3).take_while(|length| **length == 0).count();
                self.bits.put(zeros, 2);
                at += zeros;
            }
        }
    }
}

fn position_of(symbol: &Symbol) -> Option<usize> {
    match symbol {
        Symbol::Byte(_) => None,
        Symbol::Copy { distance, .. } => Some(position(*distance)),
    }
}

fn counted(set: usize, symbols: impl Iterator<Item = usize>) -> Vec<u32> {
    let mut counts = vec![0; set];
    for symbol in symbols {
        if let Some(count) = counts.get_mut(symbol) {
            *count += 1;
        }
    }
    counts
}

/// One symbol of the extra set, and the bits behind its code.
struct Extra {
    symbol: usize,
    rest: usize,
    width: usize,
}

impl Extra {
    fn plain(symbol: usize) -> Self {
        Self {
            symbol,
            rest: 0,
            width: 0,
        }
    }

    fn run(symbol: usize, (from, width): (usize, usize), count: usize) -> Self {
        Self {
            symbol,
            rest: count.saturating_sub(from),
            width,
        }
    }
}

/// Code lengths as symbols of the extra set: zeros by how many follow one another.
fn packed_lengths(lengths: &[usize]) -> Vec<Extra> {
    let mut extras = Vec::new();
    for run in lengths.chunk_by(|one, next| *one == 0 && *next == 0) {
        match run {
            [length] if *length > 0 => extras.push(Extra::plain(length + LENGTH_SYMBOL)),
            zeros => match Zeros::of(zeros.len()) {
                Zeros::Single(count) => extras.extend((0..count).map(|_| Extra::plain(0))),
                Zeros::Short(count) => extras.push(Extra::run(1, SHORT_RUN, count)),
                Zeros::SingleAndShort(count) => {
                    extras.push(Extra::plain(0));
                    extras.push(Extra::run(1, SHORT_RUN, count));
                }
                Zeros::Long(count) => extras.push(Extra::run(2, LONG_RUN, count)),
            },
        }
    }
    extras
}
