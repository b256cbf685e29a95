use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::entry::EntryChange;

/// Names one apply and its undo: 1 to 32 lower-case letters, digits and `-`. It is part of file names, also on
/// FAT and as boot loaders read them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ReceiptId(String);

/// A text that cannot name a receipt.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} cannot name a receipt: 1 to 32 lower-case letters, digits and `-` are wanted")]
pub struct NotAnId(String);

impl ReceiptId {
    /// As it stands in file names.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ReceiptId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(NotAnId(text))
        }
    }
}

impl FromStr for ReceiptId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        text.to_owned().try_into()
    }
}

impl From<ReceiptId> for String {
    fn from(id: ReceiptId) -> Self {
        id.0
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file system that files are changed on. Names inside it are those that it has there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceId {
    /// By where the installed system mounts it: `/`, `/boot`.
    FileSystem(String),
    /// An EFI system partition, by its PARTUUID. It is FAT.
    Esp(String),
}

impl PlaceId {
    /// The root, which also keeps the journal and the backups.
    pub fn root() -> Self {
        Self::FileSystem("/".to_owned())
    }

    /// Whether a rename is no transaction there, and nothing has an owner.
    pub fn is_fat(&self) -> bool {
        matches!(self, Self::Esp(_))
    }
}

impl fmt::Display for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileSystem(point) => f.write_str(point),
            Self::Esp(partition) => write!(f, "the ESP {partition}"),
        }
    }
}

/// What a file is to the boot loader that reads its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Nothing: the system reads it when it runs.
    Plain,
    /// A kernel or an initrd that a selector of the same place names.
    Payload,
    /// grub.cfg, a loader entry, loader.conf: what says which payloads are started, and how.
    Selector,
}

/// Who may do what with a file. Unknown on FAT, which has none of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When the bytes last changed: seconds and nanoseconds since 1970. Put back by an undo, and no part of a
    /// comparison.
    pub modified: Option<(i64, i64)>,
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        (self.mode, self.uid, self.gid) == (other.mode, other.uid, other.gid)
    }
}

impl Eq for Attributes {}

/// A file as it is, or is to be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FileState {
    /// Of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Absent on FAT.
    pub attributes: Option<Attributes>,
}

impl FileState {
    /// Whether it is empty: on FAT, that is what stands for *no file* while one appears or goes.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }
}

impl PartialEq for FileState {
    fn eq(&self, other: &Self) -> bool {
        let attributes = match (&self.attributes, &other.attributes) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => true,
        };
        self.digest == other.digest && attributes
    }
}

/// One file before and after. None: it is not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileChange {
    /// The file system.
    pub place: PlaceId,
    /// From the place's own root, beginning with `/`. No link.
    pub path: String,
    /// What it is to the boot loader.
    pub role: Role,
    /// As it was found.
    pub before: Option<FileState>,
    /// As it is to be.
    pub after: Option<FileState>,
    /// What it holds in between, for a plain file that others beside it belong to, such as the log of a database:
    /// it gets this first, then the others change, then it gets what it is to be. Back it goes the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<FileState>,
}

impl FileChange {
    /// Whether it stays as it is. Selectors that stay belong into a change set all the same when they name
    /// payloads that change.
    pub fn is_same(&self) -> bool {
        self.before == self.after
    }

    /// Whether it is this file: the same path of the same place.
    pub fn is_at(&self, place: &PlaceId, path: &str) -> bool {
        self.place == *place && self.path == path
    }
}

/// A folder that appears, or goes when it is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderChange {
    /// The file system.
    pub place: PlaceId,
    /// From the place's own root.
    pub path: String,
    /// Who may do what with it.
    pub attributes: Option<Attributes>,
    /// It appears; else it goes.
    pub appears: bool,
}

/// Everything that one apply changes on disk: a value, made from a rehearsal, and enough to go there and back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The name.
    pub id: ReceiptId,
    /// Folders, the outer ones first.
    pub folders: Vec<FolderChange>,
    /// Files. Places are switched in the order in which they first come here.
    pub files: Vec<FileChange>,
    /// What changes inside one of the files: entries of a database that others write to as well. Receipts of
    /// before have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryChange>,
}

impl ChangeSet {
    /// Whether nothing changes.
    pub fn is_nothing(&self) -> bool {
        self.folders.is_empty() && self.files.iter().all(FileChange::is_same)
    }

    /// The way back.
    pub fn inverse(&self) -> Self {
        let folders = self.folders.iter().rev().map(|folder| FolderChange {
            appears: !folder.appears,
            ..folder.clone()
        });
        let files = self.files.iter().map(|file| FileChange {
            before: file.after,
            after: file.before,
            ..file.clone()
        });
        Self {
            id: self.id.clone(),
            folders: folders.collect(),
            files: files.collect(),
            entries: self.entries.iter().map(EntryChange::inverse).collect(),
        }
    }

    /// Has these files change so, in place of what the set has for them. The others keep their numbers, by which
    /// what is staged for them is known.
    pub(crate) fn take(&mut self, files: &[FileChange]) {
        for file in files {
            let mut own = self.files.iter_mut();
            match own.find(|own| own.is_at(&file.place, &file.path)) {
                Some(own) => *own = file.clone(),
                None => self.files.push(file.clone()),
            }
        }
    }

    /// The places, in order.
    pub fn places(&self) -> Vec<PlaceId> {
        let folders = self.folders.iter().map(|folder| &folder.place);
        let files = self.files.iter().map(|file| &file.place);
        let mut found: Vec<PlaceId> = Vec::new();
        for place in files.chain(folders) {
            if !found.contains(place) {
                found.push(place.clone());
            }
        }
        found
    }
}
