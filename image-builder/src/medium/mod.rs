//! What every medium that a person boots from is made of.

mod content;
mod error;
mod inputs;
mod manifest;

use std::path::PathBuf;

use serde::Serialize;

pub(crate) use content::Content;
pub use error::MediumError;
pub use manifest::MANIFEST;
pub(crate) use manifest::{BOOT_CODE, Outside, license_path, manifest};

use crate::digest::sha256;
use crate::fat::{Kind, NewFile, Volume};

/// Bytes of the partition for results, small so that the image is: what one look saves has two MiB.
pub(crate) const DATA_LENGTH: u64 = 16 << 20;

/// What a medium is made of.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The kernel (bzImage).
    pub kernel: PathBuf,
    /// The initramfs that goes with it.
    pub initramfs: PathBuf,
    /// More words for the kernel's command line in every entry of the menu.
    pub kernel_options: Vec<String>,
    /// A unified kernel image that UEFI starts in the place of shim, GRUB and the boot menu.
    pub uki: Option<PathBuf>,
    /// The time of all files, in seconds since 1970.
    pub modified: u32,
}

/// A file of a medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuiltFile {
    /// Path from the root of its file system.
    pub path: String,
    /// Bytes.
    pub bytes: usize,
    /// Of its content; none where a tool still changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl BuiltFile {
    pub(crate) fn of(file: &NewFile) -> Self {
        Self {
            path: file.path.clone(),
            bytes: file.content.len(),
            sha256: Some(sha256(&file.content)),
        }
    }

    /// One that a tool still changes, if it is among these.
    pub(crate) fn patched(file: &NewFile, patched: &[String]) -> Self {
        let built = Self::of(file);
        match patched.contains(&built.path) {
            true => Self {
                sha256: None,
                ..built
            },
            false => built,
        }
    }
}

impl Content {
    /// The empty file system for results.
    pub(crate) fn data(&self, modified: u32) -> Result<Vec<u8>, MediumError> {
        let volume = Volume {
            kind: Kind::Fat16,
            label: "PREFLIGHT",
            id: self.volume_id("data file system"),
            modified,
        };
        crate::fat::file_system(&volume, DATA_LENGTH, &[]).map_err(MediumError::Fat)
    }
}
