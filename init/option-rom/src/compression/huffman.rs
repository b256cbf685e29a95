use super::bits::BitWriter;
use super::format::LONGEST_CODE;

/// A Huffman code to write by. Where symbols are equally frequent the specification leaves a choice;
/// it is made as EDK2's compressor makes it (a binary heap over the symbols in their order), so that
/// the codes are the same.
pub(super) struct Huffman {
    lengths: Vec<usize>,
    codes: Vec<usize>,
    /// The symbol that stands alone, and so takes no bits; 0 where none occurs at all.
    only: Option<usize>,
}

impl Huffman {
    /// The code for symbols that occur so often.
    pub(super) fn of(frequencies: &[u32]) -> Self {
        let symbols: Vec<usize> = (0..frequencies.len())
            .filter(|symbol| weight(frequencies, *symbol) > 0)
            .collect();
        if symbols.len() < 2 {
            return Self {
                lengths: vec![0; frequencies.len()],
                codes: vec![0; frequencies.len()],
                only: Some(symbols.first().copied().unwrap_or(0)),
            };
        }
        let tree = Tree::grow(frequencies, symbols);
        let counts = tree.length_counts(frequencies.len());
        let lengths = assign_lengths(&counts, &tree.leaves, frequencies.len());
        let codes = assign_codes(&counts, &lengths);
        Self {
            lengths,
            codes,
            only: None,
        }
    }

    /// The symbol that stands alone.
    pub(super) fn only(&self) -> Option<usize> {
        self.only
    }

    /// Code lengths in bits, without the zeros behind the last symbol that occurs.
    pub(super) fn lengths(&self) -> &[usize] {
        let used = self.lengths.iter().rposition(|length| *length > 0);
        let end = used.map_or(0, |last| last + 1);
        self.lengths.get(..end).unwrap_or_default()
    }

    pub(super) fn write(&self, symbol: usize, bits: &mut BitWriter) {
        let length = self.lengths.get(symbol).copied().unwrap_or(0);
        bits.put(self.codes.get(symbol).copied().unwrap_or(0), length);
    }
}

/// A Huffman tree: nodes below the number of symbols are symbols, the others have two children each.
struct Tree {
    children: Vec<(usize, usize)>,
    /// Symbols, the rarest first.
    leaves: Vec<usize>,
}

impl Tree {
    fn grow(frequencies: &[u32], mut heap: Vec<usize>) -> Self {
        let mut weights = frequencies.to_vec();
        let mut children = Vec::new();
        let mut leaves = Vec::new();
        let mut take = |node: usize| {
            if node < frequencies.len() {
                leaves.push(node);
            }
            node
        };
        for at in (0..heap.len() / 2).rev() {
            sift_down(&mut heap, &weights, at);
        }
        while let [lightest, _, ..] = *heap.as_slice() {
            let left = take(lightest);
            if let Some(last) = heap.pop() {
                replace_first(&mut heap, &weights, last);
            }
            let right = take(heap.first().copied().unwrap_or(0));
            children.push((left, right));
            weights.push(weight(&weights, left) + weight(&weights, right));
            let joined = weights.len() - 1;
            replace_first(&mut heap, &weights, joined);
        }
        Self { children, leaves }
    }

    /// How many codes have each length. Lengths above the longest are cut, and then codes are moved
    /// down until they all fit.
    fn length_counts(&self, symbols: usize) -> [usize; LONGEST_CODE + 1] {
        let mut depths = vec![0_usize; symbols + self.children.len()];
        let mut counts = [0; LONGEST_CODE + 1];
        for (index, (left, right)) in self.children.iter().enumerate().rev() {
            let below = depths.get(symbols + index).copied().unwrap_or(0) + 1;
            for child in [*left, *right] {
                if let Some(depth) = depths.get_mut(child) {
                    *depth = below;
                }
                if child < symbols {
                    add(&mut counts, below.min(LONGEST_CODE), 1);
                }
            }
        }
        let taken: usize = (1..)
            .zip(counts.iter().skip(1))
            .map(|(length, count)| count << (LONGEST_CODE - length))
            .sum();
        for _ in 1 << LONGEST_CODE..taken {
            add(&mut counts, LONGEST_CODE, -1);
            let shorter = counts
                .iter()
                .take(LONGEST_CODE)
                .rposition(|count| *count > 0);
            if let Some(length) = shorter {
                add(&mut counts, length, -1);
                add(&mut counts, length + 1, 2);
            }
        }
        counts
    }
}

fn add(counts: &mut [usize], at: usize, change: isize) {
    if let Some(count) = counts.get_mut(at) {
        *count = count.saturating_add_signed(change);
    }
}

fn weight(weights: &[u32], node: usize) -> u32 {
    weights.get(node).copied().unwrap_or(0)
}

fn replace_first(heap: &mut [usize], weights: &[u32], node: usize) {
    if let Some(first) = heap.first_mut() {
        *first = node;
    }
    sift_down(heap, weights, 0);
}

/// Moves the node at `at` down until no child is lighter.
fn sift_down(heap: &mut [usize], weights: &[u32], mut at: usize) {
    let heaviness = |heap: &[usize], at: usize| {
        let node = heap.get(at)?;
        Some(weight(weights, *node))
    };
    loop {
        let left = 2 * at + 1;
        let Some(of_left) = heaviness(heap, left) else {
            return;
        };
        let of_right = heaviness(heap, left + 1).filter(|right| of_left > *right);
        let (child, lighter) = of_right.map_or((left, of_left), |right| (left + 1, right));
        if heaviness(heap, at).is_none_or(|own| own <= lighter) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

/// The rarest symbols get the longest codes.
fn assign_lengths(counts: &[usize], leaves: &[usize], symbols: usize) -> Vec<usize> {
    let mut lengths = vec![0; symbols];
    let longest_first = counts
        .iter()
        .enumerate()
        .rev()
        .flat_map(|(length, count)| std::iter::repeat_n(length, *count));
    for (leaf, length) in leaves.iter().zip(longest_first) {
        if let Some(place) = lengths.get_mut(*leaf) {
            *place = length;
        }
    }
    lengths
}

/// Codes of one length count upwards in the order of their symbols (UEFI specification 2.10, 19.2.2).
fn assign_codes(counts: &[usize], lengths: &[usize]) -> Vec<usize> {
    let mut next = vec![0];
    let mut start = 0;
    for count in counts.iter().skip(1) {
        next.push(start);
        start = (start + count) << 1;
    }
    let take = |length: &usize| match next.get_mut(*length) {
        Some(code) if *length > 0 => {
            *code += 1;
            *code - 1
        }
        _ => 0,
    };
    lengths.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_symbols_get_short_codes() {
        let code = Huffman::of(&[1, 0, 8, 2]);
        assert_eq!(code.lengths(), [2, 0, 1, 2]);
        assert_eq!(code.codes, [0b10, 0, 0b0, 0b11]);
        assert_eq!(code.only(), None);
    }

    #[test]
    fn a_symbol_alone_takes_no_bits() {
        let code = Huffman::of(&[0, 0, 5]);
        assert_eq!(code.only(), Some(2));
        assert!(code.lengths().is_empty());
    }

    #[test]
    fn no_code_is_longer_than_sixteen_bits() {
        let mut fibonacci = vec![1_u32, 1];
        while fibonacci.len() < 24 {
            fibonacci.push(fibonacci.iter().rev().take(2).sum());
        }
        let code = Huffman::of(&fibonacci);
        assert_eq!(code.lengths().iter().max(), Some(&16));
        let room: usize = code.lengths().iter().map(|length| 1 << (16 - length)).sum();
        assert_eq!(room, 1 << 16);
    }
}
