//! Says what a file is and what is in it: an initramfs of any maker, a kernel, a disk image. Foreign and damaged
//! files are taken, too: what could not be read is said, and how far reading came.

mod budget;
mod disk;
mod efi;
mod initramfs;
mod iso;
mod manifest;
mod packed;
mod served;
mod source;
mod spdx;
mod stored;

use std::fs::File;
use std::io;
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
pub(crate) use manifest::tell_kernel;
pub use packed::Packed;
use source::Source;
pub use spdx::SpdxError;
pub use stored::StoredFile;

use crate::io::{Context, IoError};
use crate::kernel_image::KernelImage;

/// A kernel or an initramfs is smaller; of a larger file, that it is no image of a disk or CD is all that is said.
const LARGEST: u64 = 1 << 30;

const FOLDER: &str = "it is a directory; of one that netboot has written, with its licenses/manifest.json, there is a \
                      bill of materials alone (--format spdx)";

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
    /// What the system said where it did not let some of it be read; none where it let all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
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
    /// It is too large for all that is no image of a disk or CD.
    #[error(
        "{path} has {bytes} bytes, more than any initramfs, kernel or program for UEFI, and is no disk image with a \
         GUID partition table and no CD image (ISO 9660)"
    )]
    TooLarge {
        /// The file.
        path: String,
        /// Its length.
        bytes: u64,
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
    let (content, unread) = content(source, path)?;
    Ok(Inspected {
        schema: "preflight.inspect/1",
        bytes,
        packed,
        unread,
        content,
    })
}

/// What is in a file, and what the system said where it did not let some of it be read.
fn content(source: Source, path: &Path) -> Result<(Content, Option<String>), InspectError> {
    let mut budget = Budget::default();
    let medium = medium(&source, &mut budget);
    let bytes = source.length();
    let is_small = bytes <= LARGEST;
    let found = medium.or_else(|| match is_small {
        true => recognize_within(&source.read(0, bytes)?, &mut budget),
        false => None,
    });
    match (found, source.failure()) {
        (Some(content), failure) => Ok((content, failure.map(|failure| failure.to_string()))),
        (None, Some(failure)) => Err(failure).at("read", path).map_err(InspectError::Io),
        (None, None) => {
            let path = path.display().to_string();
            Err(match is_small {
                true => InspectError::Unknown { path },
                false => InspectError::TooLarge { path, bytes },
            })
        }
    }
}

/// The bill of materials of what image-builder has made, an initramfs, a medium, a unified kernel image or a folder for
/// network boot: SPDX 2.3 as JSON.
pub fn spdx(path: &Path) -> Result<Value, SpdxError> {
    if let Some(files) = served::files(path) {
        return spdx::of_medium(&files, LARGEST);
    }
    let file = open(path)?.file;
    let source = Source::of_file(&file).at("read", path)?;
    let length = source.length();
    let bill = match iso::files(&source).or_else(|| disk::files(&source)) {
        Some(files) => spdx::of_medium(&files, length),
        None => {
            let whole = (length <= LARGEST)
                .then(|| source.read(0, length))
                .flatten();
            whole
                .ok_or(SpdxError::NoManifest)
                .and_then(|bytes| match efi::files(&bytes) {
                    Some(files) => spdx::of_medium(&files, length),
                    None => spdx::of_initramfs(&bytes),
                })
        }
    };
    match source.failure() {
        Some(failure) => Err(failure).at("read", path).map_err(SpdxError::Io),
        None => bill,
    }
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
    // A folder can be opened, and says of its length what it likes.
    if file.metadata().at("read", path)?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, FOLDER)).at("read", path);
    }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_system_does_not_let_be_read_is_no_file_of_an_unknown_kind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        fs::write(&path, "only words").unwrap();
        let seen = |file: &File| content(Source::of_file(file).unwrap(), &path).unwrap_err();
        let readable = File::open(&path).unwrap();
        assert!(matches!(seen(&readable), InspectError::Unknown { .. }));
        // Each read of it fails, as on a broken disk.
        let unreadable = File::options().write(true).open(&path).unwrap();
        let InspectError::Io(error) = seen(&unreadable) else {
            panic!("reading has failed");
        };
        assert_eq!(error.path, path);
    }
}
