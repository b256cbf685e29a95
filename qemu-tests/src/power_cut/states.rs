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
    pub(super) queue: VecDeque<Vec<Pick>>,
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

    /// The state after the last step, with everything flushed.
    pub(super) fn complete(mut self) -> CrashState<'a> {
        while self.advance() {}
        self.flush();
        self.state(Vec::new())
    }

    /// Goes on to the next step before which there are states: one that makes writes durable, or the end.
    pub(super) fn advance(&mut self) -> bool {
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

    /// The state with these writes of the unflushed ones, unless one with the same bytes has been.
    pub(super) fn unseen(&mut self, picks: Vec<Pick>) -> Option<CrashState<'a>> {
        let state = self.state(picks);
        let is_new = self.seen.insert((state.print, state.marks));
        is_new.then_some(state)
    }

    /// Holds a state for one that has been.
    pub(super) fn pass_over(&mut self, state: &CrashState<'_>) {
        self.seen.insert((state.print, state.marks));
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
                if let Some(state) = self.unseen(picks) {
                    return Some(state);
                }
            }
            if !self.advance() {
                return None;
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::power_cut::log::{flag, made};
    use crate::power_cut::{Canvas, Window, WriteLog};

    const SECTORS: usize = 8;

    /// What happens to a disk of [`SECTORS`] sectors of zeros: sector, flags, and the byte that each
    /// sector of it is filled with.
    pub type Event = (u64, u64, Vec<u8>);

    pub struct Made {
        pub replay: Replay,
        folder: TempDir,
    }

    pub fn made(events: &[Event]) -> Made {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("base");
        std::fs::write(&image, vec![0; SECTORS * made::SECTOR]).unwrap();
        let filled = |bytes: &[u8]| -> Vec<u8> {
            let sectors = bytes.iter().map(|byte| vec![*byte; made::SECTOR]);
            sectors.collect::<Vec<_>>().concat()
        };
        let data: Vec<Vec<u8>> = events
            .iter()
            .map(|(_, flags, bytes)| match flags & flag::MARK {
                0 => filled(bytes),
                _ => bytes.clone(),
            })
            .collect();
        let entries: Vec<(u64, u64, &[u8])> = events
            .iter()
            .zip(&data)
            .map(|((sector, flags, _), data)| (*sector, *flags, data.as_slice()))
            .collect();
        let log = WriteLog::parse(made::log(&entries)).unwrap();
        let disk = Window {
            offset: 0,
            length: (SECTORS * made::SECTOR) as u64,
            image,
        };
        Made {
            replay: Replay::new(log, &[disk], None).unwrap(),
            folder,
        }
    }

    /// The first byte of each sector in each state, and how many marks it has.
    fn shown(made: &Made) -> Vec<(Vec<u8>, usize, u128)> {
        let path = made.folder.path().join("canvas");
        let mut canvas = Canvas::new(&made.replay, 0, &path).unwrap();
        let states = made.replay.states(Bounds::default());
        states
            .map(|state| {
                canvas.show(&state).unwrap();
                let bytes = std::fs::read(canvas.path()).unwrap();
                let sectors = bytes.chunks(made::SECTOR).map(|sector| {
                    assert!(sector.iter().all(|byte| *byte == sector[0]));
                    sector[0]
                });
                (sectors.collect(), state.marks().len(), state.fingerprint())
            })
            .collect()
    }

    fn disks(events: &[Event]) -> BTreeSet<String> {
        let shown = shown(&made(events));
        let text = |sectors: &[u8]| -> String {
            sectors[..3].iter().map(|byte| char::from(*byte)).collect()
        };
        let zeros_as_dots = |text: String| text.replace('\0', ".");
        shown
            .iter()
            .map(|(sectors, _, _)| zeros_as_dots(text(sectors)))
            .collect()
    }

    fn write(sector: u64, bytes: &str) -> Event {
        (sector, 0, bytes.as_bytes().to_vec())
    }

    fn flush() -> Event {
        (0, flag::FLUSH, Vec::new())
    }

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_flushed_is_there_and_what_is_not_may_be_in_any_combination() {
        let states = disks(&[write(0, "a"), flush(), write(1, "b"), write(2, "c")]);
        assert_eq!(states, set(&["...", "a..", "ab.", "a.c", "abc"]));
    }

    #[test]
    fn a_later_write_is_never_there_without_an_earlier_one_that_is_durable_by_itself() {
        let durable = (1, flag::FUA, b"b".to_vec());
        let states = disks(&[write(0, "a"), durable, write(2, "c")]);
        assert_eq!(states, set(&["...", "a..", ".b.", "ab.", ".bc", "abc"]));
    }

    #[test]
    fn what_is_durable_by_itself_is_not_undone_by_what_was_written_there_before() {
        let durable = (0, flag::FUA, b"b".to_vec());
        let states = disks(&[write(0, "a"), durable, flush(), write(1, "c")]);
        assert_eq!(states, set(&["...", "a..", "b..", "bc."]));
    }

    #[test]
    fn overlapping_writes_arrive_in_both_orders_until_they_are_flushed() {
        let states = disks(&[write(0, "ab"), write(1, "cd"), flush(), write(0, "e")]);
        let before = ["...", "ab.", ".cd", "acd", "abd"];
        assert_eq!(states, &set(&before) | &set(&["ecd"]));
    }

    #[test]
    fn a_state_comes_again_when_more_can_have_been_promised_before_it() {
        let mark = (0, flag::MARK, b"done".to_vec());
        let made = made(&[write(0, "a"), flush(), mark, write(1, "b")]);
        let marks: Vec<_> = shown(&made)
            .iter()
            .map(|(sectors, marks, _)| (sectors[0], sectors[1], *marks))
            .collect();
        let expected = [(0, 0, 0), (b'a', 0, 0), (b'a', 0, 1), (b'a', b'b', 1)];
        assert_eq!(marks, expected);
        assert_eq!(made.replay.complete().marks(), ["done"]);
    }

    pub fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            1 => Just(flush()),
            4 => (0..6_u64, prop_oneof![4 => Just(0), 1 => Just(flag::FUA)], 1..3_usize)
                .prop_map(|(sector, flags, length)| (sector, flags, vec![0; length])),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_state_has_what_could_not_be_there_and_fingerprints_tell_states_apart(
            mut events in proptest::collection::vec(event(), 0..14),
        ) {
            for (number, (_, _, bytes)) in (1..).zip(&mut events) {
                bytes.fill(number);
            }
            let made = made(&events);
            let path = made.folder.path().join("model");
            let mut prints: HashMap<Vec<u8>, u128> = HashMap::new();
            for (sectors, _, print) in shown(&made) {
                prop_assert_eq!(*prints.entry(sectors).or_insert(print), print);
            }
            let different: BTreeSet<u128> = prints.values().copied().collect();
            prop_assert_eq!(different.len(), prints.len());

            for state in made.replay.states(Bounds::default()) {
                // Each on an image of its own, which remembers nothing of the state before.
                let mut canvas = Canvas::new(&made.replay, 0, &path).unwrap();
                canvas.show(&state).unwrap();
                let bytes = std::fs::read(&path).unwrap();
                let sectors: Vec<u8> = bytes.chunks(made::SECTOR).map(|it| it[0]).collect();
                prop_assert_eq!(prints.get(&sectors), Some(&state.fingerprint()));
                let end = state.flushed + state.unflushed;
                for (sector, found) in (0..).zip(sectors) {
                    let to_it = |write: &usize| made.replay.writes[*write].sectors().contains(&sector);
                    let flushed = (0..state.flushed).rev().find(to_it);
                    let possible = flushed.into_iter().chain((state.flushed..end).filter(to_it));
                    let mut bytes: Vec<u8> = possible
                        .map(|write| made.replay.log.data(&made.replay.writes[write].data)[0])
                        .collect();
                    if flushed.is_none() {
                        bytes.push(0);
                    }
                    prop_assert!(bytes.contains(&found), "sector {} of {}", sector, state);
                }
            }
        }
    }
}
