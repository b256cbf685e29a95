use std::path::PathBuf;

use crate::apt::AptError;
use crate::cache::CacheError;
use crate::io::IoError;
use crate::package::PackageError;

/// A boot loader cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GrubError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A package lacks something.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The packages could not be fetched.
    #[error("cannot fetch the packages of the boot loaders")]
    Fetch(#[from] AptError),
    /// There is no cache to fetch them into.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// An image of GRUB is not what this program knows how to place.
    #[error(
        "GRUB's {image} is not as expected: {why}; another version of grub-pc-bin may be of help"
    )]
    Image {
        /// `boot.img` or `core.img`.
        image: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The signed GRUB for UEFI has no folder that a medium could have its configuration in.
    #[error(
        "the signed GRUB of grub-efi-amd64-signed looks for its configuration in no folder /EFI/VENDOR, so that it \
         would not find the boot menu: `apt-cache policy grub-efi-amd64-signed` says where the package is from; \
         take Debian's, or start UEFI machines by a unified kernel image (`image-builder uki`, then --uki)"
    )]
    NoPrefix,
    /// Its own tool failed.
    #[error("{} failed: {said}", program.display())]
    Tool {
        /// The program.
        program: PathBuf,
        /// What it said.
        said: String,
    },
}
