//! What no selector has to be switched for: folders, payloads that come or go, and files that no loader reads.

use super::{Order, Stage};
use crate::act::Act;
use crate::change::{PlaceId, Role};
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
