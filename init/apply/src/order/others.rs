//! What no selector has to be switched for: folders, payloads that come or go, and files that no loader reads.

use super::{Order, Stage};
use crate::act::Act;
use crate::change::{FileState, PlaceId, Role};
use crate::observed::Seen;
use crate::sequence::{Switch, Unit};

impl Order<'_> {
    pub(super) fn appearing_folders(&mut self) {
        let folders = self.sequence.set.folders.iter().zip(&self.seen.folders);
        for (folder, _) in folders.filter(|(folder, there)| folder.appears && !**there) {
            self.acts.push(Act::MakeFolder {
                place: folder.place.clone(),
                path: folder.path.clone(),
                attributes: folder.attributes,
            });
        }
    }

    pub(super) fn going_folders(&mut self) {
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
    pub(super) fn fresh(&mut self, place: &PlaceId) {
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

    /// Payloads that go, when nothing names them.
    pub(super) fn gone(&mut self, place: &PlaceId) {
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

    pub(super) fn plain(&mut self, place: &PlaceId) {
        let files = self.sequence.files(place, Role::Plain);
        let changed: Vec<usize> = files
            .filter(|(_, file)| !file.is_same())
            .map(|(number, _)| number)
            .collect();
        for number in &changed {
            self.leftovers(*number, "tfu");
        }
        self.sync(place);
        let switches: Vec<(Switch, Stage)> = changed
            .into_iter()
            .map(|file| Switch {
                file,
                through: None,
            })
            .map(|switch| {
                let stage = self.plain_stage(&switch);
                (switch, stage)
            })
            .collect();
        let at = |stages: &'static [Stage]| {
            let switches = switches.iter();
            switches.filter(move |(_, stage)| stages.contains(stage))
        };
        for (switch, _) in at(&[Stage::Foreign]) {
            self.is_foreign(switch.file);
        }
        // Whose neighbours belong to it never stands beside those of another time.
        let (led, alone): (Vec<&Switch>, Vec<&Switch>) = at(&[Stage::Before])
            .map(|(switch, _)| switch)
            .partition(|switch| self.between(switch).is_some());
        self.lead(place, &led);
        self.switch_all(place, &alone, 'f', |_| None);
        let passed = at(&[Stage::Through]).map(|(switch, _)| switch);
        let led: Vec<&Switch> = led.into_iter().chain(passed).collect();
        self.switch_all(place, &led, 'f', |_| None);
        let unit = Unit {
            place: place.clone(),
            payloads: Vec::new(),
            selectors: at(&[Stage::Before, Stage::Through, Stage::Emptied])
                .map(|(switch, _)| switch.clone())
                .collect(),
        };
        let stages = vec![Stage::Before; unit.selectors.len()];
        self.clear(&unit, &stages);
    }

    fn between(&self, switch: &Switch) -> Option<FileState> {
        self.file(switch.file).and_then(|file| file.between)
    }

    fn plain_stage(&self, switch: &Switch) -> Stage {
        let stage = self.stage(switch, true);
        let between = self.between(switch);
        let is_between =
            between.is_some_and(|between| self.seen.file(switch.file).is(Some(&between)));
        match stage {
            Stage::Foreign if is_between => Stage::Through,
            stage => stage,
        }
    }

    /// Puts what they hold in between in their place.
    fn lead(&mut self, place: &PlaceId, switches: &[&Switch]) {
        for switch in switches {
            let staged = self.sequence.staged(switch.file, 't');
            self.write_as(switch.file, staged, self.between(switch), None);
        }
        self.sync(place);
        for switch in switches {
            self.switch(switch.file, 't');
        }
        self.sync(place);
    }
}
