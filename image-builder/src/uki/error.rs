use crate::apt::AptError;
use crate::io::IoError;
use crate::medium::MediumError;

/// A unified kernel image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum UkiError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// What it is made of could not be put together.
    #[error(transparent)]
    Medium(#[from] MediumError),
    /// The stub or the signer could not be fetched.
    #[error("cannot fetch the packages systemd-boot-efi and sbsigntool")]
    Fetch(#[from] AptError),
    /// The boot menu has no such entry.
    #[error("the boot menu has no entry '{id}'; there are {known}")]
    Entry {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// systemd's stub is not what this program knows how to extend.
    #[error(
        "systemd's stub is not as expected: {why}; another version of systemd-boot-efi may be of help"
    )]
    Stub {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Kernel and initramfs are larger than a program for UEFI can be.
    #[error("kernel and initramfs are larger than a program for UEFI can be (4 GB)")]
    TooLarge,
    /// It could not be signed.
    #[error(
        "sbsign does not sign with this key and certificate (PEM both, the key without a passphrase): {said}"
    )]
    Sign {
        /// What it said.
        said: String,
    },
}
