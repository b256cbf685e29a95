//! GRUB for BIOS and for UEFI, as Debian's packages have it.

mod bios;
mod core_image;
mod error;
mod packages;
mod prefix;

pub use bios::{BOOT_CODE, BiosBoot};
pub use error::GrubError;
pub(crate) use packages::{BIOS_PACKAGE, CD_CORE};
pub use packages::{EFI_START, Packages};
