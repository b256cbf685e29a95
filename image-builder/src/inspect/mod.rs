//! Says what a file is and what is in it: an initramfs of any maker, a kernel, a disk image. Foreign and damaged
//! files are taken, too: what could not be read is said, and how far reading came.

mod budget;
mod disk;
mod efi;
mod initramfs;
mod iso;
mod manifest;
mod packed;
mod source;
mod spdx;
mod stored;

use std::fs::File;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use budget::Budget;
pub use disk::{BootCode, Disk, DiskPartition, FatVolume, TableCopy};
pub(crate) use efi::is_unified;
pub use efi::{EfiProgram, PeSection, UnifiedKernel};
pub(crate) use initramfs::begins_as_initramfs;
pub use initramfs::{
    ArchiveFile, Compression, Initramfs, Maker, ModuleSeen, ReleaseSeen, Segment, Totals,
};
pub use iso::{BootImage, Iso};
pub(crate) use manifest::package_of_kernel;
pub use packed::Packed;
use source::Source;
pub use spdx::SpdxError;
pub use stored::StoredFile;

use crate::io::{Context, IoError};
use crate::kernel_image::KernelImage;

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
    /// A program for UEFI that is no kernel by itself: a boot loader, or a unified kernel image.
    EfiProgram(EfiProgram),
    /// A disk with a GUID partition table.
    Disk(Disk),
    /// A CD, which may be a disk as well.
    Iso(Iso),
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspected {
    /// `preflight.inspect/1`
    pub schema: &'static str,
    /// Bytes of the file.
    pub bytes: u64,
    /// How it is packed, when it is an image that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packed: Option<Packed>,
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
         a GUID partition table, a CD image (ISO 9660)"
    )]
    Unknown {
        /// The file.
        path: String,
    },
}

/// Looks at a file, or at a disk.
pub fn inspect(path: &Path) -> Result<Inspected, InspectError> {
    let Opened {
        file,
        bytes,
        packed,
    } = open(path)?;
    let source = Source::of_file(&file).at("read", path)?;
    let mut budget = Budget::default();
    let content =
        medium(&source, &mut budget).or_else(|| recognize_within(&whole(&source)?, &mut budget));
    let content = content.ok_or_else(|| InspectError::Unknown {
        path: path.display().to_string(),
    })?;
    Ok(Inspected {
        schema: "preflight.inspect/1",
        bytes,
        packed,
        content,
    })
}

/// The bill of materials of an initramfs or a medium that image-builder has made: SPDX 2.3 as JSON.
pub fn spdx(path: &Path) -> Result<Value, SpdxError> {
    let file = open(path)?.file;
    let source = Source::of_file(&file).at("read", path)?;
    if let Some(files) = iso::files(&source).or_else(|| disk::files(&source)) {
        return spdx::of_medium(&files);
    }
    spdx::of_initramfs(&whole(&source).unwrap_or_default())
}

/// A file, unpacked where it is a packed image.
struct Opened {
    file: File,
    /// Bytes of the file as it lies there.
    bytes: u64,
    packed: Option<Packed>,
}

fn open(path: &Path) -> Result<Opened, IoError> {
    let mut file = File::open(path).at("open", path)?;
    let bytes = Source::of_file(&file).at("read", path)?.length();
    let unpacked = packed::open(&mut file).at("unpack", path)?;
    let (file, packed) = match unpacked {
        Some((unpacked, packed)) => (unpacked, Some(packed)),
        None => (file, None),
    };
    Ok(Opened {
        file,
        bytes,
        packed,
    })
}

fn whole(source: &Source) -> Option<Vec<u8>> {
    source.read(0, source.length().min(LARGEST))
}

/// A CD that is a disk as well counts as a CD.
fn medium(source: &Source, budget: &mut Budget) -> Option<Content> {
    let iso = iso::read(source, budget).map(Content::Iso);
    iso.or_else(|| disk::read(source, budget).map(Content::Disk))
}

/// What a file with these bytes is, images of disks and CDs included.
pub fn look(bytes: &[u8]) -> Option<Content> {
    let mut budget = Budget::default();
    medium(&Source::Bytes(bytes), &mut budget).or_else(|| recognize_within(bytes, &mut budget))
}

/// What these bytes are when they are the whole of a file but no disk image; none where they are nothing that a machine boots with.
pub fn recognize(bytes: &[u8]) -> Option<Content> {
    recognize_within(bytes, &mut Budget::default())
}

fn recognize_within(bytes: &[u8], budget: &mut Budget) -> Option<Content> {
    if let Some(kernel) = KernelImage::parse(bytes) {
        return Some(Content::Kernel(kernel));
    }
    if let Some(program) = efi::read(bytes, budget) {
        return Some(Content::EfiProgram(program));
    }
    Initramfs::parse(bytes, budget).map(Content::Initramfs)
}
