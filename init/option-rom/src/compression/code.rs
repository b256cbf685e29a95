use super::bits::BitReader;
use super::format::LONGEST_CODE;

/// A prefix code to read by: codes of one length count upwards in the order of their symbols (UEFI
/// specification 2.10, 19.2.2).
pub(super) struct Code {
    /// Codes of each length.
    counts: [usize; LONGEST_CODE + 1],
    /// Symbols by length, then by number.
    symbols: Vec<usize>,
}

impl Code {
    /// The code of a set in which one symbol alone occurs: it takes no bits.
    pub(super) fn only(symbol: usize) -> Self {
        Self {
            counts: [0; LONGEST_CODE + 1],
            symbols: vec![symbol],
        }
    }

    /// The code with these lengths, zero for a symbol that does not occur. None when they leave codes
    /// over or need more than there are; firmware refuses both.
    pub(super) fn of_lengths(lengths: &[usize]) -> Option<Self> {
        let mut counts = [0; LONGEST_CODE + 1];
        for length in lengths {
            *counts.get_mut(*length)? += 1;
        }
        let room: usize = (1..)
            .zip(counts.iter().skip(1))
            .map(|(length, count)| count << (LONGEST_CODE - length))
            .sum();
        if room != 1 << LONGEST_CODE {
            return None;
        }
        let mut symbols: Vec<usize> = (0..lengths.len())
            .filter(|symbol| lengths.get(*symbol).is_some_and(|length| *length > 0))
            .collect();
        symbols.sort_by_key(|symbol| lengths.get(*symbol).copied());
        Some(Self { counts, symbols })
    }

    /// Reads one symbol. None only when nothing is in the code.
    pub(super) fn read(&self, bits: &mut BitReader<'_>) -> Option<usize> {
        let ahead = bits.peek();
        let (mut first, mut before) = (0, 0);
        for (length, count) in self.counts.iter().enumerate().skip(1) {
            let code = ahead >> (LONGEST_CODE - length);
            if code < first + count {
                bits.skip(length);
                return self.symbols.get(before + code.checked_sub(first)?).copied();
            }
            before += count;
            first = (first + count) << 1;
        }
        self.symbols.first().copied()
    }
}
