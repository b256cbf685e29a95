use serde::Serialize;

use super::budget::Budget;
use super::manifest::{FileSeen, Manifest};
use super::source::Source;
use super::{Content, recognize_within};
use crate::boot_menu::INITRAMFS;
use crate::digest::sha256;
use crate::medium::MANIFEST;

/// A file larger than this is no part of a boot.
pub(super) const LARGEST_FILE: u64 = 512 << 20;
/// A medium has some dozen files, and its manifest a line for each.
pub(super) const LARGEST_MANIFEST: u64 = 4 << 20;
/// Smaller ones are configuration.
const SMALLEST_PROGRAM: u64 = 16 << 10;

/// A file in a file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// From the root, without a slash in front.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// Of its content; none where it could not be read.
    pub sha256: Option<String>,
    /// What it is, where it is something that a machine boots with.
    pub content: Option<Content>,
    /// The Debian package that it is from, with its version, where the medium's manifest says so and the file is
    /// still the one that it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// How much may be read of all files of one disk or CD, and unpacked of what is in them: those that claim each other's
/// place could be of any length together.
pub(super) struct Allowance<'a> {
    /// Bytes.
    left: u64,
    budget: &'a mut Budget,
}

/// The files of what a machine boots from, to be read one by one: together they may be larger than memory.
pub(super) struct MediumFiles<'a> {
    pub(super) layout: Layout,
    /// Path and length.
    pub(super) files: Vec<(String, u64)>,
    /// Reads the one of this number; none where it cannot be read.
    pub(super) read: ReadFile<'a>,
}

/// Where something that a machine boots from has what tells of the rest.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// What it is, in a word.
    pub(super) what: &'static str,
    /// Path of its manifest.
    pub(super) manifest: &'static str,
    /// Path of its initramfs.
    pub(super) initramfs: &'static str,
}

/// Of a stick or a CD.
pub(super) const MEDIUM: Layout = Layout {
    what: "medium",
    manifest: MANIFEST,
    initramfs: INITRAMFS,
};

type ReadFile<'a> = Box<dyn Fn(usize) -> Option<Vec<u8>> + 'a>;

impl MediumFiles<'_> {
    /// Their manifest; none where they have none that can be read.
    pub(super) fn manifest(&self) -> Option<Manifest> {
        let listed = self
            .files
            .iter()
            .map(|(path, bytes)| (path.as_str(), *bytes));
        manifest(self.layout.manifest, listed, &self.read)
    }
}

impl<'a> Allowance<'a> {
    /// Of all that a disk or CD has.
    pub(super) fn of(source: &Source, budget: &'a mut Budget) -> Self {
        let left = source.length();
        Self { left, budget }
    }
}

impl StoredFile {
    pub(super) fn new(
        path: &str,
        bytes: u64,
        allowance: &mut Allowance,
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Self {
        let affordable = allowance
            .left
            .checked_sub(bytes)
            .filter(|_| bytes <= LARGEST_FILE);
        let content = affordable.and_then(|rest| {
            allowance.left = rest;
            read()
        });
        let program = content.as_deref().filter(|_| bytes >= SMALLEST_PROGRAM);
        Self {
            path: path.to_owned(),
            bytes,
            sha256: content.as_deref().map(sha256),
            content: program.and_then(|bytes| recognize_within(bytes, allowance.budget)),
            package: None,
        }
    }
}

/// The manifest at the path `own` among these files, by path and length in their order; none where there is none that
/// can be read. `read` reads one of them.
pub(super) fn manifest<'a>(
    own: &'static str,
    files: impl IntoIterator<Item = (&'a str, u64)>,
    read: impl FnOnce(usize) -> Option<Vec<u8>>,
) -> Option<Manifest> {
    let mut files = files.into_iter().enumerate();
    let (number, _) =
        files.find(|(_, (path, bytes))| *path == own && *bytes <= LARGEST_MANIFEST)?;
    Manifest::parse(&read(number)?, own)
}

/// Names the packages of files by the manifest of their medium; gives what does not agree with it.
pub(super) fn compare(files: &mut [StoredFile], manifest: Option<&Manifest>) -> Vec<String> {
    let Some(manifest) = manifest else {
        let mut files = files.iter();
        let unread = files.find(|file| file.path == MANIFEST);
        let unread = unread.map(|file| {
            let bytes = file.bytes;
            format!("/{MANIFEST} of {bytes} bytes is no manifest: nothing is compared with it")
        });
        return unread.into_iter().collect();
    };
    for file in files.iter_mut() {
        file.package = manifest.package_label(&file.path, file.sha256.as_deref());
    }
    let seen = files.iter().map(|file| {
        let seen = FileSeen {
            bytes: file.bytes,
            sha256: file.sha256.clone(),
        };
        (file.path.clone(), seen)
    });
    manifest.differences(&seen.collect())
}
