use crate::grub::GrubError;
use crate::io::IoError;
use crate::medium::MediumError;

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
    Medium(#[from] MediumError),
    #[error(transparent)]
    Grub(#[from] GrubError),
    #[error("cannot write the partition table: {0}")]
    Table(gptman::Error),
    #[error("GRUB's core for BIOS has {bytes} bytes, more than its partition holds")]
    CoreTooLarge { bytes: usize },
}
