use std::io;

use crate::boot_menu::MenuError;
use crate::grub::GrubError;
use crate::io::IoError;

/// A stick's image could not be built.
#[derive(Debug, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "the variants wrap errors that tell for themselves"
)]
pub enum UsbError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    Grub(#[from] GrubError),
    #[error(transparent)]
    Menu(#[from] MenuError),
    #[error("cannot make a FAT file system")]
    Fat(#[source] io::Error),
    #[error("cannot write the partition table: {0}")]
    Table(gptman::Error),
    #[error("GRUB's core for BIOS has {bytes} bytes, more than its partition holds")]
    CoreTooLarge { bytes: usize },
    #[error("{path} is no Linux kernel that BIOS and UEFI can start (a bzImage)")]
    NoKernel { path: String },
}
