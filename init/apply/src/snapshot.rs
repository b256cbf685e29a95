use std::collections::BTreeMap;
use std::path::PathBuf;

use storage::{Kind, Root, RootError};

use crate::change::{Attributes, FileState, PlaceId};
use crate::error::ApplyError;
use crate::observe::{folder_attributes, state_of};
use crate::place::Places;

/// Deeper than any folder that is compared.
const DEEPEST: usize = 24;
/// Bytes; no initrd is a tenth of that, and a file that says it is longer would be read for hours.
const LARGEST_FILE: u64 = 4 << 30;
/// grub.cfg of a host with very many kernels is some hundred kilobytes.
const LARGEST_SELECTOR: u64 = 16 << 20;

/// What stands below some folders of places at one time: enough to say later what changed there.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// In the order in which the folders were named.
    pub(crate) places: Vec<(PlaceId, Entries)>,
}

/// By their paths from the place's root.
pub(crate) type Entries = BTreeMap<String, Entry>;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// With the text, where it is a selector.
    File(FileState, Option<Vec<u8>>),
    Folder(Option<Attributes>),
    Link(PathBuf),
    /// Nothing that is ever written.
    Other(Kind),
}

impl Snapshot {
    /// Reads everything below these folders, each with its place. Other file systems that are mounted there are left
    /// out, and so are names that are no UTF-8: nobody writes those.
    pub fn take(places: &Places, folders: &[(PlaceId, String)]) -> Result<Self, ApplyError> {
        let mut taken: Vec<(PlaceId, Entries)> = Vec::new();
        for (place, folder) in folders {
            let root = &places.get(place)?.root;
            let mut entries = Entries::new();
            let walk = Walk {
                root,
                place,
                device: root.status("/")?.device,
            };
            walk.add(folder.trim_end_matches('/'), 0, &mut entries)?;
            match taken.iter_mut().find(|(known, _)| known == place) {
                Some((_, known)) => known.extend(entries),
                None => taken.push((place.clone(), entries)),
            }
        }
        Ok(Self { places: taken })
    }
}

struct Walk<'a> {
    root: &'a Root,
    place: &'a PlaceId,
    device: u64,
}

impl Walk<'_> {
    fn add(&self, path: &str, depth: usize, found: &mut Entries) -> Result<(), ApplyError> {
        let at = if path.is_empty() { "/" } else { path };
        let status = match self.root.status(at) {
            Ok(status) => status,
            Err(error) if error.is_missing() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if status.device != self.device {
            return Ok(());
        }
        let entry = match status.kind {
            Kind::File if status.size > LARGEST_FILE => {
                return Err(ApplyError::Read(RootError::TooLarge {
                    path: at.into(),
                    limit: LARGEST_FILE,
                }));
            }
            Kind::Folder => Entry::Folder(folder_attributes(self.root, self.place, at)?),
            Kind::Link => Entry::Link(self.root.link(at)?),
            Kind::File => match state_of(self.root, self.place, at)? {
                Some(state) => Entry::File(state, self.text(at)?),
                None => return Ok(()),
            },
            other => Entry::Other(other),
        };
        let is_folder = matches!(entry, Entry::Folder(_));
        if !path.is_empty() {
            found.insert(path.to_owned(), entry);
        }
        if !is_folder || depth > DEEPEST {
            return Ok(());
        }
        for name in self.root.list(at)? {
            if let Some(name) = name.to_str() {
                self.add(&format!("{path}/{name}"), depth + 1, found)?;
            }
        }
        Ok(())
    }

    fn text(&self, path: &str) -> Result<Option<Vec<u8>>, ApplyError> {
        is_selector(path)
            .then(|| self.root.read(path, LARGEST_SELECTOR).map_err(Into::into))
            .transpose()
    }
}

/// What GRUB and systemd-boot read to know what to start.
pub(crate) fn is_selector(path: &str) -> bool {
    let in_grub = path.contains("/grub/") && (path.ends_with(".cfg") || path.ends_with("/grubenv"));
    let stub = path.starts_with("/EFI/") && path.ends_with("/grub.cfg");
    let entry = path.starts_with("/loader/") && path.ends_with(".conf");
    in_grub || stub || entry
}
