use super::log::{Operation, WriteLog};

/// What a common log has, as far as it matters to flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A write to the disk with this number.
    Write(usize),
    /// A flush of some disk.
    Flush,
}

/// What a flush made durable: so many of the first writes to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Covered {
    pub disk: usize,
    pub writes: usize,
}

/// How many writes came before each flush in the log of one disk.
pub(super) fn of_disk(log: &WriteLog) -> Vec<usize> {
    let mut writes = 0;
    let mut flushes = Vec::new();
    for operation in log.operations() {
        match operation {
            Operation::Write { .. } => writes += 1,
            Operation::Flush => flushes.push(writes),
            Operation::Discard { .. } | Operation::Mark(_) => {}
        }
    }
    flushes
}

/// Whose each flush of the common log is, by what the disks' own logs say; none is of nobody. Where it can be that of
/// several disks, it is that of one that writes again before the next flush, else of the one for which it does most.
pub(super) fn assigned(events: &[Event], own: &[Vec<usize>]) -> Vec<Option<Covered>> {
    let mut written = vec![0; own.len()];
    let mut next = vec![0; own.len()];
    let mut covered = vec![0; own.len()];
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        if let Event::Write(disk) = event {
            written[*disk] += 1;
            continue;
        }
        let until = events[at + 1..]
            .split(|event| *event == Event::Flush)
            .next();
        let writes_again = |disk: usize| {
            // What it writes before its flush comes first.
            let more = own[disk][next[disk]] + 1;
            let soon = until.unwrap_or_default().iter();
            written[disk] + soon.filter(|event| **event == Event::Write(disk)).count() >= more
        };
        let of = |disk: usize| own[disk].get(next[disk]).copied();
        let can_be =
            (0..own.len()).filter(|disk| of(*disk).is_some_and(|writes| writes <= written[*disk]));
        let best = can_be.max_by_key(|disk| {
            let does = of(*disk).unwrap_or(0).saturating_sub(covered[*disk]);
            (writes_again(*disk), does)
        });
        found.push(best.map(|disk| {
            let writes = own[disk][next[disk]];
            next[disk] += 1;
            covered[disk] = covered[disk].max(writes);
            Covered { disk, writes }
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digits are writes to a disk, `f` is a flush.
    fn whose(events: &str, own: &[&[usize]]) -> Vec<Option<(usize, usize)>> {
        let event = |letter: char| {
            letter
                .to_digit(10)
                .map_or(Event::Flush, |disk| Event::Write(disk as usize))
        };
        let events: Vec<Event> = events.chars().map(event).collect();
        let own: Vec<Vec<usize>> = own.iter().map(|flushes| flushes.to_vec()).collect();
        let found = assigned(&events, &own).into_iter();
        found
            .map(|covered| covered.map(|it| (it.disk, it.writes)))
            .collect()
    }

    #[test]
    fn a_flush_belongs_to_the_disk_whose_own_log_has_it_there() {
        let found = whose("0f1f01f", &[&[1], &[1, 2]]);
        assert_eq!(found, [Some((0, 1)), Some((1, 1)), Some((1, 2))]);
    }

    #[test]
    fn of_two_at_once_each_disk_gets_one() {
        let found = whose("0101ff01ff", &[&[2, 3], &[2, 3]]);
        let mut disks: Vec<_> = found.into_iter().flatten().collect();
        disks.sort_unstable();
        assert_eq!(disks, [(0, 2), (0, 3), (1, 2), (1, 3)]);
    }

    #[test]
    fn a_flush_that_does_nothing_does_not_take_the_place_of_one_that_does() {
        let found = whose("0f1ff", &[&[1, 1], &[1]]);
        assert_eq!(found, [Some((0, 1)), Some((1, 1)), Some((0, 1))]);
    }

    #[test]
    fn a_disk_that_writes_on_was_flushed_before() {
        let found = whose("001f0f", &[&[2], &[1]]);
        assert_eq!(found, [Some((0, 2)), Some((1, 1))]);
    }

    #[test]
    fn a_flush_that_no_disk_knows_of_covers_nothing() {
        assert_eq!(whose("01f", &[&[], &[2]]), [None]);
    }
}
