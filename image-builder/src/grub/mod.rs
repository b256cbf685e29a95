//! GRUB for BIOS and for UEFI, as Debian's packages have it.

mod bios;
mod core_image;
mod error;
mod packages;

pub use bios::{BOOT_CODE, BiosBoot};
pub use error::GrubError;
pub use packages::{EFI_START, Packages};
