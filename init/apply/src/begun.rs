//! A change on its way: its journal, and how far it is.

use crate::change::FileChange;
use crate::difference::Difference;
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::observe::observe;
use crate::observed::{Observed, Seen};
use crate::order::Staging;
use crate::place::Places;
use crate::progress::Progress;
use crate::receipt::Journal;
use crate::run::{forward, run};
use crate::sequence::{Sequence, Way};
use crate::store::{Store, UNDO};
use crate::undo::Since;

/// A change that was begun, and the files as they are now.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// The journal's name: of an apply, or [`UNDO`].
    document: &'static str,
    pub journal: Journal,
    pub sequence: Sequence,
    pub seen: Observed,
}

impl Begun {
    /// Reads its journal, and every file.
    pub fn read(
        places: &Places,
        store: &Store<'_>,
        document: &'static str,
    ) -> Result<Self, ApplyError> {
        Self::new(places, store, document, store.read(document)?)
    }

    /// Reads every file.
    pub fn new(
        places: &Places,
        store: &Store<'_>,
        document: &'static str,
        journal: Journal,
    ) -> Result<Self, ApplyError> {
        let (set, way) = if document == UNDO {
            (journal.set.inverse(), Way::Back)
        } else {
            (journal.set.clone(), Way::There)
        };
        let text = |_: &FileChange, digest: &Digest| store.text(digest);
        let sequence = Sequence::new(set, way, &text)?;
        let seen = observe(places, &sequence)?;
        let mut begun = Self {
            document,
            journal,
            sequence,
            seen,
        };
        take_as_ours(&begun.sequence, &begun.journal.overwritten, &mut begun.seen);
        Ok(begun)
    }

    /// Whether anything that is read was switched.
    pub fn is_switched(&self) -> bool {
        self.sequence.is_begun(&self.seen)
    }

    /// Files that are neither old nor new.
    pub fn foreign(&self) -> Vec<Difference> {
        let order = self.sequence.order(&self.seen, Staging::UnitByUnit);
        order.err().unwrap_or_default()
    }

    /// Lets these files go; that has to be in the journal on the disk before one of them does.
    pub fn let_go(&mut self, files: Vec<Difference>) {
        take_as_ours(&self.sequence, &files, &mut self.seen);
        self.journal.overwritten.extend(files);
    }

    /// Goes on to the end.
    pub fn finish(
        &mut self,
        places: &Places,
        store: &Store<'_>,
        since: Since,
        progress: &mut Progress<'_>,
    ) -> Result<(), ApplyError> {
        let foreign = self.foreign();
        if !foreign.is_empty() && since == Since::Overwrite {
            self.let_go(foreign);
            store.write(self.document, &self.journal)?;
        }
        let staging = Staging::UnitByUnit;
        forward(places, &self.sequence, &self.seen, staging, store, progress)
    }

    /// Removes what was staged, when nothing was switched.
    pub fn give_up(
        &self,
        places: &Places,
        store: &Store<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<(), ApplyError> {
        run(places, &self.sequence.give_up(&self.seen), store, progress)
    }
}

/// Takes files that are as they were when somebody let them go for those that are to be switched.
pub(crate) fn take_as_ours(
    sequence: &Sequence,
    overwritten: &[Difference],
    observed: &mut Observed,
) {
    for (file, seen) in sequence.set.files.iter().zip(&mut observed.files) {
        let known = seen.is(file.before.as_ref()) || seen.is(file.after.as_ref());
        let let_go = overwritten.iter().any(|difference| {
            (&difference.place, &difference.path) == (&file.place, &file.path)
                && difference.found == seen.state()
        });
        if let_go && !known {
            *seen = file.before.map_or(Seen::Absent, Seen::File);
        }
    }
}
