use std::collections::BTreeMap;

use storage::{Kind, Root, RootError, Status};

use crate::change::{Attributes, ChangeSet, FileState, PlaceId};
use crate::difference::Difference;
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::observed::{Observed, Seen};
use crate::place::Places;
use crate::sequence::Sequence;

/// What stands in staged names: a payload, a selector that names staged ones, something final, a copy that no
/// other file shares its clusters with.
pub(crate) const LETTERS: [char; 4] = ['p', 't', 'f', 'u'];

/// The file at a path as it is; none where nothing is. A link is an error: its target is what has to be named.
pub fn state_of(root: &Root, place: &PlaceId, path: &str) -> Result<Option<FileState>, ApplyError> {
    let status = match root.status(path) {
        Ok(status) => status,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if status.kind != Kind::File {
        return Err(ApplyError::Read(RootError::Wrong {
            path: path.into(),
            kind: status.kind,
            wanted: Kind::File,
        }));
    }
    let (digest, size) = Digest::of_all(root.file(path)?).map_err(|error| RootError::Io {
        path: path.into(),
        reason: error.to_string(),
    })?;
    Ok(Some(FileState {
        digest,
        size,
        attributes: attributes_of(&status, place),
    }))
}

/// Who may do what with a folder.
pub(crate) fn folder_attributes(
    root: &Root,
    place: &PlaceId,
    path: &str,
) -> Result<Option<Attributes>, ApplyError> {
    let attributes = attributes_of(&root.status(path)?, place);
    // Its time is when a file in it came or went.
    Ok(attributes.map(|attributes| Attributes {
        modified: None,
        ..attributes
    }))
}

fn attributes_of(status: &Status, place: &PlaceId) -> Option<Attributes> {
    (!place.is_fat()).then_some(Attributes {
        mode: status.mode,
        uid: status.uid,
        gid: status.gid,
        modified: Some(status.modified),
    })
}

fn seen(root: &Root, place: &PlaceId, path: &str) -> Result<Seen, ApplyError> {
    match state_of(root, place, path) {
        Ok(Some(state)) => Ok(Seen::File(state)),
        Ok(None) => Ok(Seen::Absent),
        Err(ApplyError::Read(RootError::Io { reason, .. })) if place.is_fat() => {
            Ok(Seen::Broken(reason))
        }
        Err(error) => Err(error),
    }
}

/// Reads every file of a sequence, and what stands under its staged names.
pub(crate) fn observe(places: &Places, sequence: &Sequence) -> Result<Observed, ApplyError> {
    let mut observed = observe_set(places, &sequence.set)?;
    for (number, file) in sequence.set.files.iter().enumerate() {
        let root = &places.own(&file.place)?.root;
        for letter in LETTERS {
            let path = sequence.staged(number, letter);
            match seen(root, &file.place, &path)? {
                Seen::Absent => {}
                there => {
                    observed.staged.insert((file.place.clone(), path), there);
                }
            }
        }
    }
    Ok(observed)
}

/// Reads every file of a change set.
pub fn observe_set(places: &Places, set: &ChangeSet) -> Result<Observed, ApplyError> {
    let files = set.files.iter().map(|file| {
        let root = &places.own(&file.place)?.root;
        seen(root, &file.place, &file.path)
    });
    let files = files.collect::<Result<_, _>>()?;
    let folders = set.folders.iter().map(|folder| {
        let root = &places.own(&folder.place)?.root;
        match root.kind(&folder.path) {
            Ok(kind) => Ok(kind == Kind::Folder),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(ApplyError::from(error)),
        }
    });
    Ok(Observed {
        files,
        folders: folders.collect::<Result<_, _>>()?,
        staged: BTreeMap::new(),
    })
}

/// Reads everything again from disk; what is not as the change set wants it.
pub fn verify(places: &Places, set: &ChangeSet) -> Result<Vec<Difference>, ApplyError> {
    Ok(observe_set(places, set)?.from_after(set))
}
