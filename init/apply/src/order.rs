//! The order of acts: from what is on the disks now to what is wanted, such that after each act every boot loader
//! reads wholly old or wholly new.
//!
//! A unit of selectors and payloads goes like this. The new payloads are staged under names of their own. New
//! selectors that name those are put in place of the old ones: from that act on the loader starts the new system,
//! and no longer reads the standard names. These get the new payloads; then the final selectors, which name them.
//! Each stage can be told from what is on the disk, so that the same function also goes on after a power cut.

use std::collections::BTreeSet;

use crate::act::Act;
use crate::change::{FileChange, PlaceId, Role};
use crate::difference::Difference;
use crate::digest::Digest;
use crate::observed::{Observed, Seen};
use crate::sequence::{Sequence, Switch, Unit};

/// When new boot files are staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staging {
    /// All of them on all places before anything is switched: a place that does not take them is found out while
    /// everything can still be taken back.
    AllFirst,
    /// Each unit's own before it is switched: an ESP then needs room for one kernel's files more and not for all.
    UnitByUnit,
}

/// How far a selector is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    /// It names staged payloads.
    Through,
    After,
    /// On FAT, an empty file, which to a loader is none; its name is still there.
    Emptied,
    Foreign,
}

impl Sequence {
    /// The acts that are still to be done; none when all is as wanted. Fails with the files that are neither old
    /// nor new.
    pub fn order(&self, seen: &Observed, staging: Staging) -> Result<Vec<Act>, Vec<Difference>> {
        let mut order = Order {
            sequence: self,
            seen,
            acts: Vec::new(),
            foreign: Vec::new(),
            staged: BTreeSet::new(),
        };
        let places = self.set.places();
        order.appearing_folders();
        if staging == Staging::AllFirst {
            for place in &places {
                order.stage_ahead(place);
            }
        }
        for place in &places {
            order.fresh(place);
            for unit in self.units.iter().filter(|unit| unit.place == *place) {
                order.unit(unit);
            }
            order.gone(place);
        }
        // A start between the two halves finds new boot files and old settings, which only the running system
        // reads; the other way round it would be no better, and an apply that is given up early would have to
        // take settings back.
        for place in &places {
            order.plain(place);
        }
        order.going_folders();
        if order.foreign.is_empty() {
            Ok(order.acts)
        } else {
            Err(order.foreign)
        }
    }
}

struct Order<'a> {
    sequence: &'a Sequence,
    seen: &'a Observed,
    acts: Vec<Act>,
    foreign: Vec<Difference>,
    /// Paths that are written ahead of their units.
    staged: BTreeSet<(PlaceId, String)>,
}

impl Order<'_> {
    fn file(&self, number: usize) -> Option<&FileChange> {
        self.sequence.set.files.get(number)
    }

    fn sync(&mut self, place: &PlaceId) {
        let place = place.clone();
        if !matches!(self.acts.last(), None | Some(Act::Sync { .. })) {
            self.acts.push(Act::Sync { place });
        }
    }

    fn write(&mut self, number: usize, path: String, text: Option<Vec<u8>>) {
        let Some(file) = self.file(number) else {
            return;
        };
        let (place, after) = (file.place.clone(), file.after);
        let ahead = self.staged.contains(&(place.clone(), path.clone()));
        if let (Some(state), false) = (after, ahead) {
            self.acts.push(Act::write(&place, path, &state, text));
        }
    }

    fn remove(&mut self, number: usize, path: String, twin: bool) {
        let act = self.file(number).map(|file| Act::Remove {
            place: file.place.clone(),
            path,
            twin: twin.then(|| file.path.clone()),
        });
        self.acts.extend(act);
    }

    /// Puts what is staged under this letter where the file is read, or takes the file away.
    fn switch(&mut self, number: usize, letter: char) {
        let staged = self.sequence.staged(number, letter);
        let act = self.file(number).map(|file| {
            let (place, target) = (file.place.clone(), file.path.clone());
            match file.after {
                Some(_) => Act::Select {
                    place,
                    staged,
                    target,
                },
                None => Act::Retire {
                    place,
                    target,
                    staged,
                },
            }
        });
        self.acts.extend(act);
    }

    fn is_foreign(&mut self, number: usize) {
        let found = self.seen.file(number).state();
        let difference = self.file(number).map(|file| Difference {
            place: file.place.clone(),
            path: file.path.clone(),
            wanted: file.after,
            found,
        });
        self.foreign.extend(difference);
    }

    /// Removes what is left under staged names of a file.
    fn leftovers(&mut self, number: usize, letters: &str) {
        let Some(place) = self.file(number).map(|file| file.place.clone()) else {
            return;
        };
        for letter in letters.chars() {
            let path = self.sequence.staged(number, letter);
            let ahead = self.staged.contains(&(place.clone(), path.clone()));
            if self.seen.staged(&place, &path).is_some() && !ahead {
                self.remove(number, path, true);
            }
        }
    }

    fn appearing_folders(&mut self) {
        let folders = self.sequence.set.folders.iter().zip(&self.seen.folders);
        for (folder, _) in folders.filter(|(folder, there)| folder.appears && !**there) {
            self.acts.push(Act::MakeFolder {
                place: folder.place.clone(),
                path: folder.path.clone(),
                attributes: folder.attributes,
            });
        }
    }

    fn going_folders(&mut self) {
        let folders = self.sequence.set.folders.iter().zip(&self.seen.folders);
        for (folder, _) in folders.filter(|(folder, there)| !folder.appears && **there) {
            let place = folder.place.clone();
            self.acts.push(Act::RemoveFolder {
                path: folder.path.clone(),
                place: place.clone(),
            });
            self.acts.push(Act::Sync { place });
        }
    }

    /// Payloads that nothing old names: written under their own names, before any selector names them.
    fn fresh(&mut self, place: &PlaceId) {
        let files = self.sequence.files(place, Role::Payload);
        let wanted: Vec<usize> = files
            .filter(|(number, file)| {
                let done = self.seen.file(*number).is(file.after.as_ref());
                file.before.is_none() && !done
            })
            .map(|(number, _)| number)
            .collect();
        // On FAT a broken entry may lead to clusters that the next file is given.
        for number in &wanted {
            if *self.seen.file(*number) != Seen::Absent
                && let Some(path) = self.file(*number).map(|file| file.path.clone())
            {
                self.remove(*number, path, false);
            }
        }
        self.sync(place);
        for number in wanted {
            if let Some(path) = self.file(number).map(|file| file.path.clone()) {
                self.write(number, path, None);
            }
        }
        self.sync(place);
    }

    /// Stages the payloads of all units that are not begun, and the selectors that name them.
    fn stage_ahead(&mut self, place: &PlaceId) {
        let sequence = self.sequence;
        let waiting: Vec<&Unit> = sequence
            .units
            .iter()
            .filter(|unit| unit.place == *place && !self.is_installed(unit))
            .filter(|unit| {
                let mut stages = unit
                    .selectors
                    .iter()
                    .map(|switch| self.stage(switch, false));
                stages.all(|stage| stage == Stage::Before)
            })
            .collect();
        for unit in &waiting {
            unit.selectors
                .iter()
                .for_each(|switch| self.leftovers(switch.file, "tfu"));
            unit.payloads
                .iter()
                .for_each(|number| self.leftovers(*number, "pf"));
        }
        self.sync(place);
        for unit in waiting {
            let payloads = unit.payloads.iter().map(|number| (*number, 'p', None));
            let selectors = unit
                .selectors
                .iter()
                .map(|switch| (switch.file, 't', switch.through.clone()));
            for (number, letter, text) in payloads.chain(selectors) {
                let path = sequence.staged(number, letter);
                self.write(number, path.clone(), text);
                self.staged.insert((place.clone(), path));
            }
        }
        self.sync(place);
    }

    fn is_installed(&self, unit: &Unit) -> bool {
        unit.payloads.iter().all(|number| {
            let file = self.file(*number);
            file.is_some_and(|file| self.seen.file(*number).is(file.after.as_ref()))
        })
    }

    fn unit(&mut self, unit: &Unit) {
        let payloads_done = self.is_installed(unit);
        let stages: Vec<Stage> = unit
            .selectors
            .iter()
            .map(|switch| self.stage(switch, payloads_done))
            .collect();
        let selectors = || unit.selectors.iter().zip(&stages);
        if payloads_done && stages.iter().all(|stage| *stage == Stage::After) {
            unit.selectors
                .iter()
                .for_each(|switch| self.leftovers(switch.file, "tfu"));
            unit.payloads
                .iter()
                .for_each(|number| self.leftovers(*number, "pf"));
            self.sync(&unit.place);
            return;
        }
        for (switch, _) in selectors().filter(|(_, stage)| **stage == Stage::Foreign) {
            self.is_foreign(switch.file);
        }
        let staged_is_read = stages.contains(&Stage::Through);
        unit.selectors
            .iter()
            .for_each(|switch| self.leftovers(switch.file, "tfu"));
        let unread = if staged_is_read { "f" } else { "pf" };
        unit.payloads
            .iter()
            .for_each(|number| self.leftovers(*number, unread));
        self.sync(&unit.place);
        if !payloads_done {
            self.stage_payloads(unit, staged_is_read);
            let old: Vec<&Switch> = selectors()
                .filter(|(_, stage)| **stage == Stage::Before)
                .map(|(switch, _)| switch)
                .collect();
            self.payloads_are_known(unit, old.is_empty());
            self.switch_all(&unit.place, &old, 't', |switch| switch.through.clone());
            self.install(unit);
        }
        let not_final: Vec<&Switch> = selectors()
            .filter(|(switch, stage)| match stage {
                Stage::After | Stage::Emptied => false,
                Stage::Before => payloads_done || switch.through.is_some(),
                Stage::Through | Stage::Foreign => true,
            })
            .map(|(switch, _)| switch)
            .collect();
        self.switch_all(&unit.place, &not_final, 'f', |_| None);
        self.clear(unit, &stages);
    }

    fn stage(&self, switch: &Switch, payloads_done: bool) -> Stage {
        let (Some(file), seen) = (self.file(switch.file), self.seen.file(switch.file)) else {
            return Stage::Foreign;
        };
        let through = switch.through.as_ref().map(|text| Digest::of(text));
        let is_before = seen.is(file.before.as_ref());
        if through.is_some_and(|digest| seen.has(digest)) {
            Stage::Through
        } else if is_before && (!file.is_same() || !payloads_done) {
            Stage::Before
        } else if seen.is(file.after.as_ref()) {
            if through.is_some() && !payloads_done {
                Stage::Before
            } else {
                Stage::After
            }
        } else if file.place.is_fat() && seen.is_empty_file() {
            match (file.before, file.after) {
                (None, _) => Stage::Before,
                (_, None) => Stage::Emptied,
                _ => Stage::Foreign,
            }
        } else {
            Stage::Foreign
        }
    }

    fn stage_payloads(&mut self, unit: &Unit, staged_is_read: bool) {
        for number in &unit.payloads {
            let path = self.sequence.staged(*number, 'p');
            if !staged_is_read {
                self.write(*number, path, None);
                continue;
            }
            let wanted = self.file(*number).and_then(|file| file.after);
            let seen = self.seen.staged(&unit.place, &path);
            let whole =
                wanted.is_some_and(|wanted| seen.is_some_and(|seen| seen.has(wanted.digest)));
            if !whole {
                self.is_foreign(*number);
            }
        }
    }

    /// Payloads that are neither old nor new are half written, if no selector names them any more.
    fn payloads_are_known(&mut self, unit: &Unit, nothing_names_them: bool) {
        let unknown: Vec<usize> = unit
            .payloads
            .iter()
            .copied()
            .filter(|number| {
                let seen = self.seen.file(*number);
                let file = self.file(*number);
                !file.is_some_and(|file| {
                    seen.is(file.before.as_ref()) || seen.is(file.after.as_ref())
                })
            })
            .collect();
        if !nothing_names_them {
            unknown
                .into_iter()
                .for_each(|number| self.is_foreign(number));
        }
    }

    /// Stages these selectors, and puts them in place of the old ones.
    fn switch_all(
        &mut self,
        place: &PlaceId,
        switches: &[&Switch],
        letter: char,
        text: impl Fn(&Switch) -> Option<Vec<u8>>,
    ) {
        for switch in switches {
            let staged = self.sequence.staged(switch.file, letter);
            self.write(switch.file, staged, text(switch));
        }
        self.sync(place);
        for switch in switches {
            self.switch(switch.file, letter);
        }
        self.sync(place);
    }

    /// Puts the payloads under their standard names, which nothing reads now.
    fn install(&mut self, unit: &Unit) {
        let missing: Vec<(usize, String)> = unit
            .payloads
            .iter()
            .filter_map(|number| Some((*number, self.file(*number)?)))
            .filter(|(number, file)| !self.seen.file(*number).is(file.after.as_ref()))
            .map(|(number, file)| (number, file.path.clone()))
            .collect();
        if unit.place.is_fat() {
            // An ESP has no room for a third copy.
            for (number, path) in &missing {
                self.remove(*number, path.clone(), false);
            }
            self.sync(&unit.place);
            for (number, path) in missing {
                self.write(number, path, None);
            }
        } else {
            for (number, _) in &missing {
                self.write(*number, self.sequence.staged(*number, 'f'), None);
            }
            self.sync(&unit.place);
            for (number, _) in &missing {
                self.switch(*number, 'f');
            }
        }
        self.sync(&unit.place);
    }

    /// Removes everything of a unit that nobody reads any more.
    fn clear(&mut self, unit: &Unit, stages: &[Stage]) {
        let switched = unit.selectors.iter().zip(stages);
        for (switch, stage) in switched.filter(|(_, stage)| **stage != Stage::After) {
            for letter in ['t', 'f'] {
                self.remove(switch.file, self.sequence.staged(switch.file, letter), true);
            }
            let emptied = unit.place.is_fat()
                && (*stage == Stage::Emptied
                    || self
                        .file(switch.file)
                        .is_some_and(|file| file.after.is_none()));
            if emptied && let Some(path) = self.file(switch.file).map(|file| file.path.clone()) {
                self.remove(switch.file, path, false);
            }
        }
        for number in &unit.payloads {
            self.remove(*number, self.sequence.staged(*number, 'p'), false);
            if !unit.place.is_fat() {
                self.remove(*number, self.sequence.staged(*number, 'f'), false);
            }
        }
        self.sync(&unit.place);
    }

    /// Payloads that go, when nothing names them.
    fn gone(&mut self, place: &PlaceId) {
        let files = self.sequence.files(place, Role::Payload);
        let going: Vec<(usize, String)> = files
            .filter(|(number, file)| {
                let there = *self.seen.file(*number) != Seen::Absent;
                file.after.is_none() && there
            })
            .map(|(number, file)| (number, file.path.clone()))
            .collect();
        for (number, path) in going {
            self.remove(number, path, false);
        }
        self.sync(place);
    }

    fn plain(&mut self, place: &PlaceId) {
        let files = self.sequence.files(place, Role::Plain);
        let changed: Vec<usize> = files
            .filter(|(_, file)| !file.is_same())
            .map(|(number, _)| number)
            .collect();
        for number in &changed {
            self.leftovers(*number, "tfu");
        }
        self.sync(place);
        let as_selector = |file| Switch {
            file,
            through: None,
        };
        let switches: Vec<(Switch, Stage)> = changed
            .into_iter()
            .map(as_selector)
            .map(|switch| {
                let stage = self.stage(&switch, true);
                (switch, stage)
            })
            .collect();
        let old: Vec<&Switch> = switches
            .iter()
            .filter(|(_, stage)| *stage == Stage::Before)
            .map(|(switch, _)| switch)
            .collect();
        for (switch, _) in switches
            .iter()
            .filter(|(_, stage)| *stage == Stage::Foreign)
        {
            self.is_foreign(switch.file);
        }
        self.switch_all(place, &old, 'f', |_| None);
        let unit = Unit {
            place: place.clone(),
            payloads: Vec::new(),
            selectors: switches
                .iter()
                .filter(|(_, stage)| matches!(stage, Stage::Before | Stage::Emptied))
                .map(|(switch, _)| switch.clone())
                .collect(),
        };
        let stages = vec![Stage::Before; unit.selectors.len()];
        self.clear(&unit, &stages);
    }
}
