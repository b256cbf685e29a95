//! A change set from two snapshots of the same places: as they were, and as a rehearsal left them.

use std::collections::BTreeSet;

use crate::change::{
    Attributes, ChangeSet, FileChange, FileState, FolderChange, PlaceId, ReceiptId, Role,
};
use crate::selector;
use crate::snapshot::{Entries, Entry, Snapshot, is_selector};

/// What differs between two snapshots.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Files and folders that can be written.
    pub set: ChangeSet,
    /// Menus and entries that differ, as text.
    pub menus: Vec<Menu>,
    /// What also differs and is no file: links, devices. Nobody writes those; a person has to hear of them.
    pub other: Vec<String>,
}

/// A menu or an entry before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// The file system.
    pub place: PlaceId,
    /// From the place's own root.
    pub path: String,
    /// As it was; empty where it was not there.
    pub before: String,
    /// As it is to be; empty where it goes.
    pub after: String,
}

/// Compares two snapshots of the same folders, and finds for each file what it is to its boot loader: a selector by
/// its name, a payload when a selector of its place names it.
pub fn collect(id: ReceiptId, before: &Snapshot, after: &Snapshot) -> Collected {
    let mut collected = Collected {
        set: ChangeSet {
            id,
            folders: Vec::new(),
            files: Vec::new(),
            entries: Vec::new(),
        },
        menus: Vec::new(),
        other: Vec::new(),
    };
    let nothing = Entries::new();
    for (place, there) in &before.places {
        let then = after.places.iter().find(|(other, _)| other == place);
        collected.add(place, there, then.map_or(&nothing, |(_, then)| then));
    }
    collected
}

impl Collected {
    fn add(&mut self, place: &PlaceId, there: &Entries, then: &Entries) {
        let mut files = Vec::new();
        let paths: BTreeSet<&String> = there.keys().chain(then.keys()).collect();
        for path in paths {
            match (there.get(path), then.get(path)) {
                (Some(Entry::Folder(_)), Some(Entry::Folder(_))) => {}
                (None, Some(Entry::Folder(attributes))) => {
                    self.folder(place, path, *attributes, true);
                }
                (Some(Entry::Folder(attributes)), None) => {
                    self.folder(place, path, *attributes, false);
                }
                (Some(Entry::File(..)) | None, Some(Entry::File(..)) | None) => {
                    files.push(FileChange {
                        place: place.clone(),
                        path: path.clone(),
                        role: if is_selector(path) {
                            Role::Selector
                        } else {
                            Role::Plain
                        },
                        before: state(there, path),
                        after: state(then, path),
                        between: None,
                    });
                }
                (one, other) if one == other => {}
                _ => self.other.push(format!("{path} on {place}")),
            }
        }
        files.retain(|file| file.role == Role::Selector || !file.is_same());
        let words = |entries: &Entries, path: &str| {
            let text = text(entries.get(path)).unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        };
        let changed = files
            .iter()
            .filter(|file| file.role == Role::Selector && !file.is_same());
        self.menus.extend(changed.map(|file| Menu {
            place: place.clone(),
            path: file.path.clone(),
            before: words(there, &file.path),
            after: words(then, &file.path),
        }));
        let texts: Vec<&[u8]> = [there, then].into_iter().flat_map(texts).collect();
        for file in &mut files {
            let is_named = || texts.iter().any(|text| selector::names(text, &file.path));
            // A menu names in comments what it was made of.
            if file.role == Role::Plain && !file.path.starts_with("/etc/") && is_named() {
                file.role = Role::Payload;
            }
        }
        // Selectors that stay matter for the payloads that they name.
        let payloads: Vec<String> = files
            .iter()
            .filter(|file| file.role == Role::Payload)
            .map(|file| file.path.clone())
            .collect();
        files.retain(|file| {
            let text = text(there.get(&file.path)).unwrap_or_default();
            !file.is_same() || payloads.iter().any(|path| selector::names(text, path))
        });
        self.set.files.extend(files);
    }

    /// The outer folders come first when they appear, and last when they go.
    fn folder(
        &mut self,
        place: &PlaceId,
        path: &str,
        attributes: Option<Attributes>,
        appears: bool,
    ) {
        let change = FolderChange {
            place: place.clone(),
            path: path.to_owned(),
            attributes,
            appears,
        };
        if appears {
            self.set.folders.push(change);
        } else {
            self.set.folders.insert(0, change);
        }
    }
}

fn state(entries: &Entries, path: &str) -> Option<FileState> {
    match entries.get(path) {
        Some(Entry::File(state, _)) => Some(*state),
        _ => None,
    }
}

fn text(entry: Option<&Entry>) -> Option<&[u8]> {
    match entry {
        Some(Entry::File(_, text)) => text.as_deref(),
        _ => None,
    }
}

fn texts(entries: &Entries) -> impl Iterator<Item = &[u8]> {
    entries.values().filter_map(|entry| text(Some(entry)))
}
