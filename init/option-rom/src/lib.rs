//! PCI option ROM images: parse and judge. Bytes only, no I/O, and every length is followed, never
//! searched for (PCI Firmware specification 3.3, chapter 5; UEFI specification 2.10, chapter 14).

mod efi;
mod fields;
mod ids;
mod image;
mod image_type;
mod pcir;
mod problem;
mod rom;
mod walk;

pub use efi::EfiHeader;
pub use image::{Checksum, Image};
pub use image_type::ImageType;
pub use pcir::{Npde, Pcir};
pub use problem::{Problem, ProblemEntry, ProblemId};
pub use rom::{Rom, Trailing, Verdict};
