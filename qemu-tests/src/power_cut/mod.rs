//! Power cuts: every state that a disk can be in when the power goes, from a recording of its writes.
//!
//! A [`Recording`] is a set of disks whose writes and flushes QEMU logs in one common order. A [`Replay`]
//! of the log gives the [`CrashState`]s: what was flushed is there; of what was not flushed, anything can
//! be there. A [`Canvas`] shows one state after the other as a raw image; [`Served`] gives guests many at once.
//!
//! Two limits. QEMU logs a write when it has completed, so one that completes while a flush runs counts
//! as flushed though the flush need not have covered it. And a flush has no disk in the log: with several
//! disks it counts for all of them.

mod canvas;
mod choice;
mod error;
pub mod ext4;
mod failing;
mod log;
mod network_disk;
mod recording;
mod replay;
mod sample;
mod served;
mod sparse;
mod states;

pub use canvas::Canvas;
pub use choice::Bounds;
pub use error::LogError;
pub use failing::{FailingDisk, Fault};
pub use log::{Operation, WriteLog};
pub use recording::{Recording, Window};
pub use replay::Replay;
pub use sample::Sample;
pub use served::Served;
pub use states::{CrashState, States};
