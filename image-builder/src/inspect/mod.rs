//! Says what a file is and what is in it: an initramfs of any maker, a kernel, a disk image. Foreign and damaged
//! files are taken, too: what could not be read is said, and how far reading came.

mod disk;
mod initramfs;
mod source;

use std::fs::File;
use std::path::Path;

use serde::Serialize;

pub use disk::{BootCode, Disk, DiskPartition, FatFile, FatVolume, TableCopy};
pub use initramfs::{
    ArchiveFile, Compression, Initramfs, Maker, ModuleSeen, ReleaseSeen, Segment, SpdxError,
    Totals, spdx,
};
use source::Source;

use crate::io::{Context, IoError};
use crate::kernel_image::{self, KernelImage};

/// A kernel or an initramfs is smaller; a larger file is read only where it is a disk image.
const LARGEST: u64 = 1 << 30;

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Content {
    /// Archives for the kernel to start from.
    Initramfs(Initramfs),
    /// A kernel for a PC.
    Kernel(KernelImage),
    /// A program for UEFI that is no kernel: a boot loader.
    EfiProgram(EfiProgram),
    /// A disk with a GUID partition table.
    Disk(Disk),
}

/// A program that UEFI firmware starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EfiProgram {
    /// As [`KernelImage::signed_by`].
    pub signed_by: Option<Vec<String>>,
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspected {
    /// `preflight.inspect/1`
    pub schema: &'static str,
    /// Bytes of the file.
    pub bytes: u64,
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
}

/// A file of which nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// It is of no kind that is known here.
    #[error(
        "{path} is none of these: an initramfs, a kernel for a PC (bzImage), a program for UEFI, a disk image with \
         a GUID partition table"
    )]
    Unknown {
        /// The file.
        path: String,
    },
}

/// Looks at a file, or at a disk.
pub fn inspect(path: &Path) -> Result<Inspected, InspectError> {
    let file = File::open(path).at("open", path)?;
    let source = Source::of_file(&file).at("read", path)?;
    let content = match disk::read(&source) {
        Some(disk) => Some(Content::Disk(disk)),
        None => {
            let bytes = source.read(0, source.length().min(LARGEST));
            bytes.and_then(|bytes| recognize(&bytes))
        }
    };
    let content = content.ok_or_else(|| InspectError::Unknown {
        path: path.display().to_string(),
    })?;
    Ok(Inspected {
        schema: "preflight.inspect/1",
        bytes: source.length(),
        content,
    })
}

/// What a file with these bytes is, disk images included.
pub fn look(bytes: &[u8]) -> Option<Content> {
    let disk = disk::read(&Source::Bytes(bytes));
    disk.map(Content::Disk).or_else(|| recognize(bytes))
}

/// What these bytes are when they are the whole of a file but no disk image; none where they are nothing that a machine boots with.
pub fn recognize(bytes: &[u8]) -> Option<Content> {
    if let Some(kernel) = KernelImage::parse(bytes) {
        return Some(Content::Kernel(kernel));
    }
    if let Some(signed_by) = kernel_image::efi_program(bytes) {
        return Some(Content::EfiProgram(EfiProgram { signed_by }));
    }
    Initramfs::parse(bytes).map(Content::Initramfs)
}
