//! What long work tells whoever waits for it.

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// This begins.
    Doing(&'a str),
    /// So many of its parts are done, out of all: bytes, or percent.
    Part {
        /// Those that are done.
        done: u64,
        /// All of them.
        all: u64,
    },
}

/// Hears it.
pub type Watch<'a> = &'a dyn Fn(Progress<'_>);
