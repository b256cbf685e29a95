//! Synthetic option ROMs: correct headers around bytes that nobody wrote (PCI Firmware specification
//! 3.3, chapter 5; UEFI specification 2.10, chapter 14), and ROMs that are wrong in one chosen way.
//!
//! The bytes between the headers come from a generator seeded with the ids, so that two ROMs never
//! agree by accident and one ROM is always the same. No vendor's bytes are in here.

mod bytes;
mod compress;
mod efi;
mod image;
mod pcir;
mod pe;
mod rom;

pub use compress::compress;
pub use efi::{EfiImage, Machine, Subsystem};
pub use image::Image;
pub use pcir::PcirRevision;
pub use rom::{FileHeader, RomMaker, Trailing};
