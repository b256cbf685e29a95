use serde::Serialize;

use super::budget::Budget;
use super::manifest::{FileSeen, Manifest};
use super::source::Source;
use super::{Content, recognize_within};
use crate::digest::sha256;

/// A file larger than this is no part of a boot.
const LARGEST_FILE: u64 = 512 << 20;
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

/// Names the packages of files by the manifest of their medium; gives what does not agree with it.
pub(super) fn compare(files: &mut [StoredFile], manifest: &Manifest) -> Vec<String> {
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
