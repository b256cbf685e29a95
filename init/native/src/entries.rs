//! The command line of boot entries: each editor changes its own words, keeps every other byte, and refuses what it
//! does not understand.

mod grub_cfg;
mod loader_entry;

use plan::edit::EditError;

pub use grub_cfg::grub_cfg;
pub use loader_entry::loader_entry;
/// /etc/kernel/cmdline, of one line.
pub use plan::edit::kernel_cmdline::edit as kernel_cmdline;

/// Why an entry was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The words of one line, or the file.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        why: EditError,
    },
    /// The file as a whole.
    #[error(transparent)]
    File(#[from] EditError),
    /// Nothing to change.
    #[error(
        "no entry of it starts a kernel of the system; make it again with the system's own tools first"
    )]
    NoEntries,
    /// A loader entry that gives the kernel nothing.
    #[error("it has no options, so the system would not start with it; add them first")]
    NoOptions,
    /// Words that the line is not all of.
    #[error(
        "line {0} is not a linux command with its words; make the file again with the system's own tools first"
    )]
    NotLinux(usize),
    /// Changed, and GRUB would still pass something else.
    #[error(
        "line {line}: what GRUB passes is not what {word} asks for, whatever is written there; change it by hand"
    )]
    Elsewhere {
        /// Counted from 1.
        line: usize,
        /// The change.
        word: String,
    },
    /// Longer than any menu.
    #[error(
        "it has {0} bytes, more than the menu of any host; make it again with the system's own tools first"
    )]
    TooLong(usize),
}

#[cfg(test)]
mod tests;
