use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// How many of the states between two flushes are tried: there are more than anybody can try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Up to this many unflushed writes, every subset of them is tried; at most 16.
    pub every_subset: usize,
    /// Else of each kind of choice at most this many, spread evenly. The kinds: the first N writes; all
    /// but one; one alone; one torn; two that overlap, the other way round.
    pub of_a_kind: usize,
    /// Else also this many subsets drawn at random, the same in every run.
    pub drawn: usize,
    /// A write is torn only at multiples of this many bytes of the disk. File systems rely on blocks of
    /// 4096 bytes being written whole, as the drives of today do.
    pub atomic: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            every_subset: 5,
            of_a_kind: 16,
            drawn: 16,
            atomic: 4096,
        }
    }
}

/// A write that no flush has followed.
#[derive(Clone, Debug)]
pub(super) struct Unflushed {
    /// Number of the write.
    pub write: usize,
    /// Sectors of the disk.
    pub sectors: Range<u64>,
    /// It was durable by itself.
    pub durable: bool,
}

/// A part of a write that reached the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pick {
    /// Number of the write.
    pub write: usize,
    /// Sectors of the write, counted from its first.
    pub sectors: Range<u64>,
}

/// What may be on the disk when the power goes, each in the order in which it is put there. `sector` is
/// the length of a sector in bytes.
pub(super) fn choices(unflushed: &[Unflushed], sector: u64, bounds: &Bounds) -> Vec<Vec<Pick>> {
    let free: Vec<usize> = (0..unflushed.len())
        .filter(|index| !unflushed[*index].durable)
        .collect();
    let count = free.len();
    let subset = |taken: &dyn Fn(usize) -> bool| -> Vec<Pick> {
        let place = |index: usize| free.binary_search(&index).unwrap_or(count);
        (0..unflushed.len())
            .filter(|index| unflushed[*index].durable || taken(place(*index)))
            .map(|index| whole(&unflushed[index]))
            .collect()
    };
    let mut found = Vec::new();
    if count <= bounds.every_subset.min(16) {
        found.extend((0..1_u32 << count).map(|bits| subset(&|place| bits >> place & 1 == 1)));
    } else {
        for length in spread(count + 1, bounds.of_a_kind) {
            found.push(subset(&|place| place < length));
        }
        for one in spread(count, bounds.of_a_kind) {
            found.push(subset(&|place| place != one));
            found.push(subset(&|place| place == one));
        }
        let mut random = Random(count as u64);
        for _ in 0..bounds.drawn {
            let bits: Vec<bool> = (0..count).map(|_| random.next() & 1 == 1).collect();
            found.push(subset(&|place| bits[place]));
        }
    }
    let torn: Vec<(usize, u64)> = (0..count)
        .filter_map(|place| Some((place, tear(&unflushed[free[place]], sector, bounds.atomic)?)))
        .collect();
    for (one, at) in spread(torn.len(), bounds.of_a_kind).map(|index| torn[index]) {
        let write = unflushed[free[one]].write;
        let mut first = subset(&|place| place <= one);
        let mut last = subset(&|_| true);
        for pick in first.iter_mut().filter(|pick| pick.write == write) {
            pick.sectors.end = at;
        }
        for pick in last.iter_mut().filter(|pick| pick.write == write) {
            pick.sectors.start = at;
        }
        found.extend([first, last]);
    }
    let pairs = overlapping(unflushed);
    for (earlier, later) in spread(pairs.len(), bounds.of_a_kind).map(|index| pairs[index]) {
        let mut picks = subset(&|_| true);
        let moved = picks.remove(earlier);
        picks.insert(later, moved);
        found.push(picks);
    }
    found
}

fn whole(write: &Unflushed) -> Pick {
    Pick {
        write: write.write,
        sectors: 0..write.sectors.end - write.sectors.start,
    }
}

/// Where a write is torn, near its middle: sectors from its first. None for one that arrives whole.
fn tear(write: &Unflushed, sector: u64, atomic: u64) -> Option<u64> {
    let middle = (write.sectors.start + write.sectors.end) / 2;
    let at = middle.next_multiple_of((atomic / sector).max(1));
    (write.sectors.start < at && at < write.sectors.end).then(|| at - write.sectors.start)
}

/// Pairs of writes, neither durable by itself, of which the later one writes over a sector of the earlier.
fn overlapping(unflushed: &[Unflushed]) -> Vec<(usize, usize)> {
    let mut last: HashMap<u64, usize> = HashMap::new();
    let mut pairs = BTreeSet::new();
    for (index, write) in unflushed.iter().enumerate() {
        for sector in write.sectors.clone() {
            let earlier = last.insert(sector, index);
            if let Some(earlier) = earlier.filter(|it| !unflushed[*it].durable && !write.durable) {
                pairs.insert((earlier, index));
            }
        }
    }
    pairs.into_iter().collect()
}

/// At most `most` of the numbers below `count`, the first and the last among them.
fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |index| match taken {
        1 => count - 1,
        _ => index * (count - 1) / (taken - 1),
    })
}

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: usize, sectors: Range<u64>) -> Unflushed {
        Unflushed {
            write: number,
            sectors,
            durable: false,
        }
    }

    fn written(choices: &[Vec<Pick>]) -> Vec<Vec<usize>> {
        let numbers = |picks: &Vec<Pick>| picks.iter().map(|pick| pick.write).collect();
        choices.iter().map(numbers).collect()
    }

    #[test]
    fn few_writes_give_every_subset_and_one_durable_by_itself_is_in_each() {
        let mut writes = [write(3, 0..1), write(4, 1..2), write(5, 2..3)];
        writes[1].durable = true;
        let found = choices(&writes, 512, &Bounds::default());
        assert_eq!(
            written(&found),
            [vec![4], vec![3, 4], vec![4, 5], vec![3, 4, 5]]
        );
    }

    #[test]
    fn many_writes_give_a_bounded_number_of_choices_with_nothing_and_all_among_them() {
        let writes: Vec<_> = (0..1000)
            .map(|number| write(number, number as u64..number as u64 + 1))
            .collect();
        let bounds = Bounds::default();
        let found = written(&choices(&writes, 512, &bounds));
        assert_eq!(found.len(), 3 * bounds.of_a_kind + bounds.drawn);
        assert!(found.iter().any(Vec::is_empty));
        assert!(found.iter().any(|picks| picks.len() == 1000));
        assert!(found.contains(&vec![999]), "the last alone");
        assert!(found.contains(&(0..999).collect()), "all but the last");
    }

    #[test]
    fn a_long_write_is_torn_where_blocks_meet_and_a_block_arrives_whole() {
        let found = choices(&[write(0, 4..24)], 512, &Bounds::default());
        let parts: Vec<_> = found
            .iter()
            .flatten()
            .map(|pick| pick.sectors.clone())
            .collect();
        assert_eq!(parts, [0..20, 0..12, 12..20]);
        assert_eq!(
            choices(&[write(0, 8..16)], 512, &Bounds::default()).len(),
            2
        );
    }

    #[test]
    fn two_writes_to_one_place_come_in_both_orders() {
        let found = choices(&[write(0, 0..2), write(1, 1..3)], 512, &Bounds::default());
        let found = written(&found);
        assert!(
            found.contains(&vec![0, 1]) && found.contains(&vec![1, 0]),
            "{found:?}"
        );
    }
}
