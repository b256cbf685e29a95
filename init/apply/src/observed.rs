use std::collections::BTreeMap;

use crate::change::{ChangeSet, FileState, PlaceId};
use crate::difference::Difference;
use crate::digest::Digest;

/// What stands under a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Nothing.
    Absent,
    /// A file.
    File(FileState),
    /// Something on FAT that a power cut has left: its directory entry leads nowhere. In the kernel's words.
    Broken(String),
}

impl Seen {
    /// Whether it is as it should be; none: not there.
    pub fn is(&self, wanted: Option<&FileState>) -> bool {
        match (self, wanted) {
            (Self::Absent, None) => true,
            (Self::File(found), Some(wanted)) => found == wanted,
            _ => false,
        }
    }

    pub(crate) fn has(&self, digest: Digest) -> bool {
        matches!(self, Self::File(found) if found.digest == digest)
    }

    pub(crate) fn is_empty_file(&self) -> bool {
        matches!(self, Self::File(found) if found.is_empty())
    }

    pub(crate) fn state(&self) -> Option<FileState> {
        match self {
            Self::File(found) => Some(*found),
            _ => None,
        }
    }
}

/// The files of a change set as they are, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// As many as the change set's files, in their order.
    pub files: Vec<Seen>,
    /// As many as its folders: whether each is there.
    pub folders: Vec<bool>,
    /// What stands under names that are ours while files are staged.
    pub staged: BTreeMap<(PlaceId, String), Seen>,
}

impl Observed {
    /// The file with this number.
    pub(crate) fn file(&self, number: usize) -> &Seen {
        self.files.get(number).unwrap_or(&Seen::Absent)
    }

    pub(crate) fn staged(&self, place: &PlaceId, path: &str) -> Option<&Seen> {
        self.staged.get(&(place.clone(), path.to_owned()))
    }

    /// Where the files are not as they were before the change set.
    pub fn from_before(&self, set: &ChangeSet) -> Vec<Difference> {
        self.against(set, |file| file.before)
    }

    /// Where the files are not as the change set wants them.
    pub fn from_after(&self, set: &ChangeSet) -> Vec<Difference> {
        self.against(set, |file| file.after)
    }

    fn against(
        &self,
        set: &ChangeSet,
        wanted: impl Fn(&crate::FileChange) -> Option<FileState>,
    ) -> Vec<Difference> {
        let files = set.files.iter().zip(&self.files);
        files
            .filter(|(file, seen)| !seen.is(wanted(file).as_ref()))
            .map(|(file, seen)| Difference {
                place: file.place.clone(),
                path: file.path.clone(),
                wanted: wanted(file),
                found: seen.state(),
            })
            .collect()
    }
}
