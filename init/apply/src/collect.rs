//! A change set from two copies of the same places: as they are, and as a rehearsal left them.

use std::collections::{BTreeMap, BTreeSet};

use storage::{Kind, Root};

use crate::change::{ChangeSet, FileChange, FolderChange, PlaceId, ReceiptId, Role};
use crate::contents::Elsewhere;
use crate::error::ApplyError;
use crate::observe::{folder_attributes, state_of};
use crate::place::Places;
use crate::selector;

/// Deeper than any folder that is compared.
const DEEPEST: usize = 24;
/// grub.cfg of a host with very many kernels is some hundred kilobytes.
const LARGEST_SELECTOR: u64 = 16 << 20;

/// What differs between two copies.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Files and folders that can be written.
    pub set: ChangeSet,
    /// Their new contents, in the second copy.
    pub contents: Elsewhere,
    /// What also differs and is no file: links, devices. Nobody writes those; a person has to hear of them.
    pub other: Vec<String>,
}

/// Compares everything below these folders of two copies of places, and finds for each file what it is to its boot
/// loader: a selector by its name, a payload when a selector of its place names it.
pub fn collect(
    id: ReceiptId,
    before: &Places,
    after: &Places,
    folders: &[(PlaceId, &str)],
) -> Result<Collected, ApplyError> {
    let mut collected = Collected {
        set: ChangeSet {
            id,
            folders: Vec::new(),
            files: Vec::new(),
        },
        contents: Elsewhere::default(),
        other: Vec::new(),
    };
    let mut places: Vec<&PlaceId> = Vec::new();
    for (place, _) in folders {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    for place in places {
        let (old, new) = (&before.get(place)?.root, &after.get(place)?.root);
        let (mut there, mut then) = (Entries::new(), Entries::new());
        for (_, folder) in folders.iter().filter(|(own, _)| own == place) {
            walk(old, folder.trim_end_matches('/'), 0, &mut there)?;
            walk(new, folder.trim_end_matches('/'), 0, &mut then)?;
        }
        collected.add(place, (old, &there), (new, &then))?;
    }
    Ok(collected)
}

type Entries = BTreeMap<String, Kind>;

impl Collected {
    fn add(
        &mut self,
        place: &PlaceId,
        (old, there): (&Root, &Entries),
        (new, then): (&Root, &Entries),
    ) -> Result<(), ApplyError> {
        let mut files = Vec::new();
        let mut selectors: Vec<Vec<u8>> = Vec::new();
        let paths: BTreeSet<&String> = there.keys().chain(then.keys()).collect();
        for path in paths {
            let kinds = (there.get(path), then.get(path));
            match kinds {
                (Some(Kind::Folder), Some(Kind::Folder)) => {}
                (None, Some(Kind::Folder)) => self.folder(place, new, path, true)?,
                (Some(Kind::Folder), None) => self.folder(place, old, path, false)?,
                (Some(Kind::File) | None, Some(Kind::File) | None) => {
                    let file = FileChange {
                        place: place.clone(),
                        path: path.clone(),
                        role: if is_selector(path) {
                            Role::Selector
                        } else {
                            Role::Plain
                        },
                        before: state_of(old, place, path)?,
                        after: state_of(new, place, path)?,
                        between: None,
                    };
                    if file.role == Role::Selector {
                        selectors.extend(old.read(path, LARGEST_SELECTOR).ok());
                        selectors.extend(new.read(path, LARGEST_SELECTOR).ok());
                    }
                    files.push(file);
                }
                (Some(Kind::Link), Some(Kind::Link)) if old.link(path)? == new.link(path)? => {}
                (Some(one), Some(other)) if one == other && *one != Kind::Link => {}
                _ => self.other.push(format!("{path} on {place}")),
            }
        }
        files.retain(|file| file.role == Role::Selector || !file.is_same());
        for file in &mut files {
            if file.role == Role::Plain
                && selectors
                    .iter()
                    .any(|text| selector::names(text, &file.path))
            {
                file.role = Role::Payload;
            }
            if let Some(after) = file.after.filter(|_| !file.is_same()) {
                self.contents.add(after.digest, new, &file.path);
            }
        }
        // Selectors that stay matter for the payloads that they name.
        let payloads: Vec<String> = files
            .iter()
            .filter(|file| file.role == Role::Payload)
            .map(|file| file.path.clone())
            .collect();
        files.retain(|file| {
            let text = || old.read(&file.path, LARGEST_SELECTOR).unwrap_or_default();
            let names = |text: Vec<u8>| payloads.iter().any(|path| selector::names(&text, path));
            !file.is_same() || names(text())
        });
        self.set.files.extend(files);
        Ok(())
    }

    /// The outer folders come first when they appear, and last when they go.
    fn folder(
        &mut self,
        place: &PlaceId,
        root: &Root,
        path: &str,
        appears: bool,
    ) -> Result<(), ApplyError> {
        let change = FolderChange {
            place: place.clone(),
            path: path.to_owned(),
            attributes: folder_attributes(root, place, path)?,
            appears,
        };
        if appears {
            self.set.folders.push(change);
        } else {
            self.set.folders.insert(0, change);
        }
        Ok(())
    }
}

/// What GRUB and systemd-boot read to know what to start.
fn is_selector(path: &str) -> bool {
    let in_grub = path.contains("/grub/") && (path.ends_with(".cfg") || path.ends_with("/grubenv"));
    let stub = path.starts_with("/EFI/") && path.ends_with("/grub.cfg");
    let entry = path.starts_with("/loader/") && path.ends_with(".conf");
    in_grub || stub || entry
}

fn walk(root: &Root, path: &str, depth: usize, found: &mut Entries) -> Result<(), ApplyError> {
    let kind = match path {
        "" => Kind::Folder,
        _ => match root.kind_of_entry(path) {
            Ok(kind) => kind,
            Err(error) if error.is_missing() => return Ok(()),
            Err(error) => return Err(error.into()),
        },
    };
    if !path.is_empty() {
        found.insert(path.to_owned(), kind);
    }
    if kind != Kind::Folder || depth > DEEPEST {
        return Ok(());
    }
    for name in root.list(if path.is_empty() { "/" } else { path })? {
        // A name that is no UTF-8 is none of those that are written.
        if let Some(name) = name.to_str() {
            walk(root, &format!("{path}/{name}"), depth + 1, found)?;
        }
    }
    Ok(())
}
