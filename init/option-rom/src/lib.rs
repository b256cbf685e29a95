//! PCI option ROM images: parse, judge, compare, mend and build. Bytes only, no I/O, and every length is followed, never
//! searched for (PCI Firmware specification 3.3, chapter 5; UEFI specification 2.10, chapter 14).

mod build;
mod compare;
mod compression;
mod efi;
mod fields;
mod ids;
mod image;
mod image_type;
mod leading;
mod mend;
mod pcir;
mod problem;
mod rom;
mod walk;
mod work;

pub use build::{BuildError, LARGEST, Part, PartError, Recipe, build};
pub use compare::{Agreement, Comparison, ImagePair, RomCopy, compare};
pub use compression::{DecompressError, compress, decompress};
pub use efi::EfiHeader;
pub use image::{Checksum, Image};
pub use image_type::ImageType;
pub use mend::{Change, MendError, MendOptions, Mended, mend};
pub use pcir::{Npde, Pcir};
pub use problem::{Problem, ProblemEntry, ProblemId};
pub use rom::{Rom, Trailing, Verdict};
