//! The archives of an initramfs, whoever made it, read as the kernel reads them. Pure, and bounded: the bytes may come
//! from anybody.

mod compression;
mod newc;
#[cfg(test)]
mod tests;
mod tool;
mod walk;

pub use compression::Compression;
pub use newc::{Entry, Unpacking};
pub use tool::InitramfsTool;
pub use walk::{Segment, Walked, walk};
