use std::io;
use std::path::PathBuf;

use crate::boot_menu::MenuError;
use crate::grub::GrubError;
use crate::io::IoError;

/// What a medium is made of cannot be put together.
#[derive(Debug, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "the variants wrap errors that tell for themselves"
)]
pub enum MediumError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    Grub(#[from] GrubError),
    #[error(transparent)]
    Menu(#[from] MenuError),
    #[error("cannot make a FAT file system")]
    Fat(#[source] io::Error),
    #[error("the manifest cannot be written as JSON")]
    Manifest(#[source] serde_json::Error),
    #[error("{} is no Linux kernel that BIOS and UEFI can start (a bzImage)", path.display())]
    NoKernel { path: PathBuf },
    #[error(
        "{} is no initramfs: it begins with nothing that Linux unpacks; `image-builder initramfs` builds one, and \
         `image-builder inspect` says what this file is",
        path.display()
    )]
    NoInitramfs { path: PathBuf },
    #[error(
        "{} is no unified kernel image, which is a program for UEFI with a kernel and an initramfs in it; \
         `image-builder uki` builds one, and `image-builder inspect` says what this file is",
        path.display()
    )]
    NotUnified { path: PathBuf },
}
