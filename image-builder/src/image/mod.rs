//! The content of an initramfs as a value, and its way into a file.

mod cpio;
mod digests;
mod entries;
mod manifest;
mod origins;
mod packer;

pub use cpio::write_archive;
pub use digests::Digests;
pub use entries::{Conflict, Entry, Image, Node};
pub(crate) use manifest::{BUILDER, FileLine};
pub use manifest::{KernelLine, ModuleLine, Size, manifest, sizes};
pub use origins::Origins;
pub use packer::Level;
pub(crate) use packer::zstd_on_all_processors;
