use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tree::Failure;
use crate::{InstalledUse, Reading, RomReading};

/// What a capture says of itself: `manifest.json`, the first file in it. Paths are those in the archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `preflight.capture/1`.
    pub schema: String,
    /// Version of the program that made it.
    pub preflight: String,
    /// When the machine was read: RFC 3339, UTC.
    pub taken: String,
    /// Release of the kernel that was running, where it is known.
    pub kernel: Option<String>,
    /// Whether serial numbers, MAC addresses and UUIDs were kept.
    pub identifiers: bool,
    /// Kernel name of the disk that Preflight was booted from.
    pub boot_stick: Option<String>,
    /// What installed systems have on the disks; absent when nobody looked at them.
    #[serde(default)]
    pub installed_uses: Reading<Vec<InstalledUse>>,
    /// What was taken out of it, and where.
    pub left_out: Vec<LeftOut>,
    /// Whether what is not in it was not on the machine; a copied folder may only lack it.
    pub(super) complete: bool,
    /// Where things were read, for messages.
    pub(super) read_from: ReadFrom,
    /// Copies of option ROMs; null when nobody read any.
    pub(super) roms: Option<Vec<RomEntry>>,
    /// Every file in it but this one.
    pub files: Vec<FileEntry>,
    /// Folders of which all names are known.
    pub(super) listed: Vec<String>,
    /// Names that were looked for and are not there, by folder.
    pub(super) absent: BTreeMap<String, Vec<String>>,
    /// What was there and could not be read.
    pub(super) unreadable: Vec<Unreadable>,
    /// Files that were there and that nobody looked into.
    pub(super) unread: Vec<String>,
    /// Device nodes, pipes and sockets.
    pub(super) special: Vec<String>,
}

/// Places that messages name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ReadFrom {
    pub sys: Option<String>,
    pub proc: Option<String>,
    pub log: String,
}

/// A file in a capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path.
    pub path: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Whether only its beginning was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Identifiers that were taken out of one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The path.
    pub path: String,
    /// What it was.
    pub what: String,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Unreadable {
    pub path: String,
    pub kind: Kind,
    pub error: Failure,
    /// The error in words, for people.
    pub why: String,
}

/// What stands at a path that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    File,
    Folder,
    Unknown,
}

/// One attempt at an option ROM. Its bytes are in a file of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RomEntry {
    pub reading: RomReading,
    pub file: Option<String>,
}
