//! Files that others write to for as long as the system runs: as a whole they never go back once it has run.

use crate::change::{ChangeSet, FileChange};
use crate::contents::Memory;
use crate::difference::Difference;
use crate::error::ApplyError;
use crate::place::Places;

/// Works out what becomes of such files where they are neither as before nor as after a change. It is given the
/// change in the direction in which it goes, and none comes back where they can go as a whole.
pub type Living = fn(&Places, &ChangeSet) -> Result<Option<Instead>, ApplyError>;

/// What becomes of files that others have written to, in place of what the change set has for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Instead {
    /// From what each is now. They are never overwritten when they change once more.
    pub files: Vec<FileChange>,
    /// What they become.
    pub contents: Memory,
    /// That in words, a line each.
    pub told: Vec<String>,
    /// Whether something of the change is in them already: then it was begun.
    pub is_begun: bool,
    /// What in them was changed by others too, a line each: refused, or overwritten, and nothing else with it.
    pub conflicts: Vec<String>,
}

impl Instead {
    /// Fails for what may not be overwritten even by who wants that.
    pub(crate) fn keeps(&self, changed: &[Difference]) -> Result<(), ApplyError> {
        let is_own = |one: &&Difference| {
            let mut files = self.files.iter();
            files.any(|file| file.is_at(&one.place, &one.path))
        };
        let own: Vec<Difference> = changed.iter().filter(is_own).cloned().collect();
        if own.is_empty() {
            Ok(())
        } else {
            Err(ApplyError::Changed(own))
        }
    }
}
