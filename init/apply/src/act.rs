use std::fmt;

use crate::change::{Attributes, FileState, PlaceId};
use crate::digest::Digest;

/// Where the bytes of a file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the contents, by their digest.
    Content(Digest),
    /// A boot loader's text that exists only for the time of a switch.
    Text(Vec<u8>),
}

/// One thing that is done to a place. After any number of them, what each boot loader reads is wholly old or
/// wholly new.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Makes a folder, or finds it.
    MakeFolder {
        /// The file system.
        place: PlaceId,
        /// Of the folder.
        path: String,
        /// Of the folder.
        attributes: Option<Attributes>,
    },
    /// Writes a file that nobody reads yet, anew where something has its name.
    Write {
        /// The file system.
        place: PlaceId,
        /// Of the file.
        path: String,
        /// Its bytes.
        source: Source,
        /// Bytes.
        size: u64,
        /// Of the file.
        attributes: Option<Attributes>,
    },
    /// Puts a staged file under the name that is read. The staged name then has what was there, or is gone.
    Select {
        /// The file system.
        place: PlaceId,
        /// What is put.
        staged: String,
        /// Where.
        target: String,
    },
    /// Takes a file from the name that is read to a staged name.
    Retire {
        /// The file system.
        place: PlaceId,
        /// The name that is read.
        target: String,
        /// The other.
        staged: String,
    },
    /// Removes a file that nobody reads, or finds it gone.
    Remove {
        /// The file system.
        place: PlaceId,
        /// Of the file.
        path: String,
        /// The file that it may share its clusters with after a power cut on FAT.
        twin: Option<String>,
    },
    /// Removes a folder if it is empty.
    RemoveFolder {
        /// The file system.
        place: PlaceId,
        /// Of the folder.
        path: String,
    },
    /// Everything so far is on the disk, in the places where a boot loader looks.
    Sync {
        /// The file system.
        place: PlaceId,
    },
}

impl Act {
    pub(crate) fn write(
        place: &PlaceId,
        path: String,
        state: &FileState,
        source: Option<Vec<u8>>,
    ) -> Self {
        let (source, size) = match source {
            Some(text) => {
                let size = text.len() as u64;
                (Source::Text(text), size)
            }
            None => (Source::Content(state.digest), state.size),
        };
        Self::Write {
            place: place.clone(),
            path,
            source,
            size,
            attributes: state.attributes,
        }
    }

    /// The file system.
    pub fn place(&self) -> &PlaceId {
        match self {
            Self::MakeFolder { place, .. }
            | Self::Write { place, .. }
            | Self::Select { place, .. }
            | Self::Retire { place, .. }
            | Self::Remove { place, .. }
            | Self::RemoveFolder { place, .. }
            | Self::Sync { place } => place,
        }
    }

    /// Bytes that it writes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Write { size, .. } => *size,
            _ => 0,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeFolder { place, path, .. } => write!(f, "make the folder {path} on {place}"),
            Self::Write { place, path, .. } => write!(f, "write {path} on {place}"),
            Self::Select { place, target, .. } => write!(f, "switch {target} on {place}"),
            Self::Retire { place, target, .. } => write!(f, "take {target} out of use on {place}"),
            Self::Remove { place, path, .. } => write!(f, "remove {path} on {place}"),
            Self::RemoveFolder { place, path } => write!(f, "remove the folder {path} on {place}"),
            Self::Sync { place } => write!(f, "wait until {place} is on the disk"),
        }
    }
}
