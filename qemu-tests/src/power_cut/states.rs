use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use super::choice::{Bounds, Pick, Unflushed, choices};
use super::replay::{Replay, Step};

/// What the disks can hold after a power cut.
#[derive(Clone, Debug)]
pub struct CrashState<'a> {
    pub(super) replay: &'a Replay,
    /// The writes before this one are all there.
    pub(super) flushed: usize,
    /// The number of writes of which nothing more than `picks` is there.
    unflushed: usize,
    pub(super) picks: Vec<Pick>,
    marks: usize,
    print: u128,
}

impl CrashState<'_> {
    /// The marks that the guest can have made before this cut, at most: what it had promised by then must
    /// hold in this state.
    pub fn marks(&self) -> &[String] {
        &self.replay.marks[..self.marks]
    }

    /// Equal for two states in which all disks have the same bytes.
    pub fn fingerprint(&self) -> u128 {
        self.print
    }
}

impl fmt::Display for CrashState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} writes flushed, of the next {} there are",
            self.flushed, self.unflushed
        )?;
        if self.picks.is_empty() {
            f.write_str(" none")?;
        }
        for pick in &self.picks {
            let whole = self.replay.writes[pick.write].prints.len() as u64;
            write!(f, " {}", pick.write - self.flushed + 1)?;
            if pick.sectors != (0..whole) {
                let (first, end) = (pick.sectors.start, pick.sectors.end);
                write!(f, " (sectors {first}..{end} of {whole})")?;
            }
        }
        write!(f, "; marks {:?}", self.marks())
    }
}

/// The crash states of a [`Replay`].
#[derive(Debug)]
pub struct States<'a> {
    replay: &'a Replay,
    bounds: Bounds,
    /// The next step, and whether the states before it are given.
    step: usize,
    given: bool,
    flushed: usize,
    unflushed: Vec<Unflushed>,
    marks: usize,
    /// The fingerprint of what is flushed: the sum, and what each written sector adds to it.
    print: u128,
    prints: HashMap<u64, u128>,
    queue: VecDeque<Vec<Pick>>,
    seen: HashSet<(u128, usize)>,
}

impl<'a> States<'a> {
    pub(super) fn new(replay: &'a Replay, bounds: Bounds) -> Self {
        Self {
            replay,
            bounds,
            step: 0,
            given: false,
            flushed: 0,
            unflushed: Vec::new(),
            marks: 0,
            print: 0,
            prints: HashMap::new(),
            queue: VecDeque::new(),
            seen: HashSet::new(),
        }
    }

    /// Goes on to the next step before which there are states: one that makes writes durable, or the end.
    fn advance(&mut self) -> bool {
        loop {
            let step = self.replay.steps.get(self.step).copied();
            let settles = match step {
                Some(Step::Write(write)) => self.replay.writes[write].durable,
                Some(Step::Mark) => false,
                Some(Step::Flush) | None => true,
            };
            if settles && !self.given {
                self.given = true;
                let sector = self.replay.log.sector() as u64;
                self.queue = choices(&self.unflushed, sector, &self.bounds).into();
                return true;
            }
            match step {
                None => return false,
                Some(Step::Flush) => self.flush(),
                Some(Step::Mark) => self.marks += 1,
                Some(Step::Write(write)) => self.unflushed.push(Unflushed {
                    write,
                    sectors: self.replay.writes[write].sectors(),
                    durable: self.replay.writes[write].durable,
                }),
            }
            self.step += 1;
            self.given = false;
        }
    }

    fn flush(&mut self) {
        for unflushed in self.unflushed.drain(..) {
            let write = &self.replay.writes[unflushed.write];
            for (sector, print) in write.sectors().zip(&write.prints) {
                let before = self.prints.insert(sector, *print).unwrap_or(0);
                self.print = self.print.wrapping_add(*print).wrapping_sub(before);
            }
            self.flushed = unflushed.write + 1;
        }
    }

    fn state(&self, picks: Vec<Pick>) -> CrashState<'a> {
        let mut over: HashMap<u64, u128> = HashMap::new();
        let mut print = self.print;
        for pick in &picks {
            let write = &self.replay.writes[pick.write];
            let sectors = write.sectors().zip(&write.prints);
            let from = usize::try_from(pick.sectors.start).unwrap_or(usize::MAX);
            let count = usize::try_from(pick.sectors.end - pick.sectors.start);
            for (sector, new) in sectors.skip(from).take(count.unwrap_or(usize::MAX)) {
                let before = over
                    .insert(sector, *new)
                    .or_else(|| self.prints.get(&sector).copied())
                    .unwrap_or(0);
                print = print.wrapping_add(*new).wrapping_sub(before);
            }
        }
        CrashState {
            replay: self.replay,
            flushed: self.flushed,
            unflushed: self.unflushed.len(),
            picks,
            marks: self.marks,
            print,
        }
    }
}

impl<'a> Iterator for States<'a> {
    type Item = CrashState<'a>;

    fn next(&mut self) -> Option<CrashState<'a>> {
        loop {
            while let Some(picks) = self.queue.pop_front() {
                let state = self.state(picks);
                if self.seen.insert((state.print, state.marks)) {
                    return Some(state);
                }
            }
            if !self.advance() {
                return None;
            }
        }
    }
}
