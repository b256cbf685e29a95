use super::bits::BitReader;
use super::format::LONGEST_CODE;

/// A prefix code to read by: codes of one length count upwards in the order of their symbols (UEFI
/// specification 2.10, 19.2.2), and shorter codes come before longer ones.
pub(super) struct Code {
    /// The code's lengths that occur, ascending.
    lengths: Vec<Length>,
    /// Symbols by length, then by number.
    symbols: Vec<usize>,
    /// For each value of the next [`QUICK_BITS`] bits that starts with a whole code: its symbol, and in
    /// the lowest four bits its length. Zero for the others; empty while it is not worth the making.
    quick: Vec<u16>,
}

/// Most codes are no longer.
const QUICK_BITS: usize = 10;
/// So many symbols are to be read before a table of all values pays.
const QUICK_FROM: usize = 1 << (QUICK_BITS - 2);

/// All codes of one length.
struct Length {
    bits: usize,
    /// The next 16 bits are less than this when they start with a code of this length or a shorter one.
    limit: usize,
    /// The first code.
    first: usize,
    /// Symbols with shorter codes.
    before: usize,
}

impl Code {
    /// The code of a set in which one symbol alone occurs: it takes no bits.
    pub(super) fn only(symbol: usize) -> Self {
        Self {
            lengths: Vec::new(),
            symbols: vec![symbol],
            quick: Vec::new(),
        }
    }

    /// The code with these lengths, zero for a symbol that does not occur. None when they leave codes
    /// over or need more than there are; firmware refuses both.
    pub(super) fn of_lengths(lengths: &[usize]) -> Option<Self> {
        let mut counts = [0_usize; LONGEST_CODE + 1];
        for length in lengths {
            *counts.get_mut(*length)? += 1;
        }
        let (mut taken, mut before) = (0, 0);
        let mut rows = Vec::new();
        for (bits, count) in counts.iter().enumerate().skip(1) {
            let unused = LONGEST_CODE - bits;
            let first = taken >> unused;
            taken += count << unused;
            if *count > 0 {
                rows.push(Length {
                    bits,
                    limit: taken,
                    first,
                    before,
                });
            }
            before += count;
        }
        if taken != 1 << LONGEST_CODE {
            return None;
        }
        let mut symbols: Vec<usize> = (0..lengths.len())
            .filter(|symbol| lengths.get(*symbol).is_some_and(|length| *length > 0))
            .collect();
        symbols.sort_by_key(|symbol| lengths.get(*symbol).copied());
        Some(Self {
            lengths: rows,
            symbols,
            quick: Vec::new(),
        })
    }

    /// Prepares for reading so many symbols.
    pub(super) fn prepared_for(mut self, count: usize) -> Self {
        if count < QUICK_FROM || self.lengths.is_empty() {
            return self;
        }
        self.quick = vec![0; 1 << QUICK_BITS];
        let short = self.lengths.iter().filter(|row| row.bits <= QUICK_BITS);
        for row in short {
            let count = (row.limit >> (LONGEST_CODE - row.bits)) - row.first;
            let symbols = self.symbols.iter().skip(row.before).take(count);
            for (code, symbol) in (row.first..).zip(symbols) {
                let entry = u16::try_from(symbol << 4 | row.bits).unwrap_or(0);
                let unused = QUICK_BITS - row.bits;
                let values = self.quick.get_mut(code << unused..(code + 1) << unused);
                values.unwrap_or_default().fill(entry);
            }
        }
        self
    }

    /// Reads one symbol. None only when nothing is in the code.
    pub(super) fn read(&self, bits: &mut BitReader<'_>) -> Option<usize> {
        let ahead = bits.peek();
        let quick = self.quick.get(ahead >> (LONGEST_CODE - QUICK_BITS));
        if let Some(entry) = quick.filter(|entry| **entry > 0) {
            bits.skip(usize::from(entry & 0xf));
            return Some(usize::from(entry >> 4));
        }
        let Some(row) = self.lengths.iter().find(|row| ahead < row.limit) else {
            return self.symbols.first().copied();
        };
        bits.skip(row.bits);
        let code = ahead >> (LONGEST_CODE - row.bits);
        let place = row.before + code.checked_sub(row.first)?;
        self.symbols.get(place).copied()
    }
}
