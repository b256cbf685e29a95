use std::ops::ControlFlow;

use crate::act::Act;

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The contents of all files, before and after, are being copied to the root.
    Saving {
        /// Bytes.
        done: u64,
        /// Bytes.
        of: u64,
    },
    /// This act is about to be done.
    Doing {
        /// The act.
        act: &'a Act,
        /// Its number, from 0.
        number: usize,
        /// Number of acts.
        of: usize,
    },
    /// More of the files is written.
    Written {
        /// Bytes, of all acts.
        done: u64,
        /// Bytes.
        of: u64,
    },
    /// Everything is read again.
    Verifying,
}

/// Is told how far it is. A break before an act stops there; between, it is not heeded.
pub type Progress<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// Nobody watches.
pub fn unwatched(_: Event<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
