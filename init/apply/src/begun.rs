//! A change on its way: its journal, and how far it is.

use crate::change::{ChangeSet, FileChange};
use crate::contents::Contents;
use crate::difference::Difference;
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::living::Instead;
use crate::observe::observe;
use crate::observed::{Observed, Seen};
use crate::order::Staging;
use crate::place::Places;
use crate::progress::Progress;
use crate::receipt::Journal;
use crate::room::taken;
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
    /// What becomes of files that others have written to; the journal and the sequence have it too.
    pub instead: Option<Instead>,
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

    /// Reads every file. What others have written to goes another way than the journal has it.
    pub fn new(
        places: &Places,
        store: &Store<'_>,
        document: &'static str,
        mut journal: Journal,
    ) -> Result<Self, ApplyError> {
        let way = if document == UNDO {
            Way::Back
        } else {
            Way::There
        };
        let turned = |set: &ChangeSet| match way {
            Way::There => set.clone(),
            Way::Back => set.inverse(),
        };
        let mut set = turned(&journal.set);
        let instead = places.instead(&set)?;
        if let Some(instead) = &instead {
            set.take(&instead.files);
            journal.set = turned(&set);
        }
        let text = |_: &FileChange, digest: &Digest| store.text(digest);
        let sequence = Sequence::new(set, way, &text)?;
        let seen = observe(places, &sequence)?;
        let mut begun = Self {
            document,
            journal,
            sequence,
            seen,
            instead,
        };
        take_as_ours(&begun.sequence, &begun.journal.overwritten, &mut begun.seen);
        Ok(begun)
    }

    /// Whether anything that is read was switched.
    pub fn is_switched(&self) -> bool {
        let instead = self.instead.as_ref();
        instead.is_some_and(|instead| instead.is_begun) || self.sequence.is_begun(&self.seen)
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

    /// Fails where something was changed that is not to be overwritten.
    pub fn may_go(&self, since: Since, changed: &[Difference]) -> Result<(), ApplyError> {
        let Some(instead) = &self.instead else {
            return Ok(());
        };
        if since == Since::Refuse && !instead.conflicts.is_empty() {
            return Err(ApplyError::Entries(instead.conflicts.clone()));
        }
        instead.keeps(changed)
    }

    /// What becomes of files that others have written to, and what an undo of an apply needs of them, goes where all
    /// contents are: before the journal that names it.
    pub fn keep(&self, places: &Places, store: &Store<'_>) -> Result<(), ApplyError> {
        let Some(instead) = &self.instead else {
            return Ok(());
        };
        for file in instead.files.iter().filter(|file| !file.is_same()) {
            if let Some(before) = file.before.filter(|_| self.document != UNDO) {
                let mut input = places.own(&file.place)?.root.file(&file.path)?;
                store.keep(&before.digest, &mut input, &mut |_| ())?;
            }
            for state in [file.between, file.after].into_iter().flatten() {
                let mut input = instead.contents.open(&state.digest)?;
                store.keep(&state.digest, &mut input, &mut |_| ())?;
            }
        }
        Ok(())
    }

    /// Bytes that this takes.
    pub fn copies(&self) -> u64 {
        let files = self.instead.iter().flat_map(|instead| &instead.files);
        let states = files.flat_map(|file| [file.between, file.after]).flatten();
        states.map(|state| taken(state.size)).sum()
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
        self.may_go(since, &foreign)?;
        self.keep(places, store)?;
        let lets_go = !foreign.is_empty() && since == Since::Overwrite;
        if lets_go {
            self.let_go(foreign);
        }
        if lets_go || self.instead.is_some() {
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
