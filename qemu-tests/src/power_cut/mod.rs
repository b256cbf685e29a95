//! Power cuts: every state that a disk can be in when the power goes, from a recording of its writes.
//!
//! A [`Recording`] is a set of disks whose writes and flushes QEMU logs in one common order. A [`Replay`]
//! of the log gives the [`CrashState`]s: what was flushed is there; of what was not flushed, anything can
//! be there. A [`Canvas`] shows one state after the other as a raw image.
//!
//! Two limits. QEMU logs a write when it has completed, so one that completes while a flush runs counts
//! as flushed though the flush need not have covered it. And a flush has no disk in the log: with several
//! disks it counts for all of them.

mod canvas;
mod choice;
pub mod ext4;
mod failing;
mod log;
mod recording;
mod replay;
mod states;

pub use canvas::Canvas;
pub use choice::Bounds;
pub use failing::{FailingDisk, Fault};
pub use log::{LogError, Operation, WriteLog};
pub use recording::{Recording, Window};
pub use replay::Replay;
pub use states::{CrashState, States};
