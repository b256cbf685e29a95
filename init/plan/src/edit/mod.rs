//! Editors that change their own words of a file and keep every other byte.
//!
//! Each takes the bytes of a file and gives back the bytes that it is to have: the same ones where nothing has
//! to change, so that an edit done twice is an edit done once. What cannot be understood is refused with a
//! reason, never guessed. A file may hold bytes that are no UTF-8; they stay.

mod error;
pub mod grub;
mod grub_value;
pub mod guest;
pub mod kernel_cmdline;
pub mod modprobe;
pub mod module_list;
mod patch;
mod source;
pub mod sysfs;
pub mod udev;
mod words;

pub use error::EditError;
pub use patch::{Mismatch, Patch};
pub use source::{Line, Source};
pub use words::{PlacedWord, WordEdit, placed_words};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
