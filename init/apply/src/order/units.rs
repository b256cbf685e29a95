//! Selectors with their payloads.

use super::{Order, Stage};
use crate::change::PlaceId;
use crate::digest::Digest;
use crate::sequence::{Switch, Unit};

impl Order<'_> {
    /// Stages the payloads of all units that are not begun, and the selectors that name them.
    pub(super) fn stage_ahead(&mut self, place: &PlaceId) {
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
            self.leftovers_of(unit, "pf");
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

    /// Removes what an earlier run has staged for a unit, of its payloads only what these letters name.
    fn leftovers_of(&mut self, unit: &Unit, of_payloads: &str) {
        for switch in &unit.selectors {
            self.leftovers(switch.file, "tfu");
        }
        for number in &unit.payloads {
            self.leftovers(*number, of_payloads);
        }
    }

    pub(super) fn is_installed(&self, unit: &Unit) -> bool {
        unit.payloads.iter().all(|number| {
            let file = self.file(*number);
            file.is_some_and(|file| self.seen.file(*number).is(file.after.as_ref()))
        })
    }

    pub(super) fn unit(&mut self, unit: &Unit) {
        let payloads_done = self.is_installed(unit);
        let stages: Vec<Stage> = unit
            .selectors
            .iter()
            .map(|switch| self.stage(switch, payloads_done))
            .collect();
        let selectors = || unit.selectors.iter().zip(&stages);
        if payloads_done && stages.iter().all(|stage| *stage == Stage::After) {
            self.leftovers_of(unit, "pf");
            self.sync(&unit.place);
            return;
        }
        for (switch, _) in selectors().filter(|(_, stage)| **stage == Stage::Foreign) {
            self.is_foreign(switch.file);
        }
        let staged_is_read = stages.contains(&Stage::Through);
        self.leftovers_of(unit, if staged_is_read { "f" } else { "pf" });
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

    pub(super) fn stage(&self, switch: &Switch, payloads_done: bool) -> Stage {
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
    pub(super) fn switch_all(
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
    pub(super) fn clear(&mut self, unit: &Unit, stages: &[Stage]) {
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
}
