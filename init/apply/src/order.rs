//! The order of acts: from what is on the disks now to what is wanted, such that after each act every boot loader
//! reads wholly old or wholly new.
//!
//! A unit of selectors and payloads goes like this. The new payloads are staged under names of their own. New
//! selectors that name those are put in place of the old ones: from that act on the loader starts the new system,
//! and no longer reads the standard names. These get the new payloads; then the final selectors, which name them.
//! Each stage can be told from what is on the disk, so that the same function also goes on after a power cut.

mod others;
mod units;

use std::collections::BTreeSet;

use crate::act::Act;
use crate::change::{FileChange, FileState, PlaceId};
use crate::difference::Difference;
use crate::observed::Observed;
use crate::sequence::Sequence;

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
    /// It names staged payloads, or holds what a plain file has in between.
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
        let after = self.file(number).and_then(|file| file.after);
        self.write_as(number, path, after, text);
    }

    fn write_as(
        &mut self,
        number: usize,
        path: String,
        state: Option<FileState>,
        text: Option<Vec<u8>>,
    ) {
        let Some(place) = self.file(number).map(|file| file.place.clone()) else {
            return;
        };
        let ahead = self.staged.contains(&(place.clone(), path.clone()));
        if let (Some(state), false) = (state, ahead) {
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
}
