//! A plan, brought into an installed system on the disks: rehearsed on overlays, shown, written, read again.

mod boot_files;
mod database;
mod edits;
mod esps;
mod id;
mod kernels;
mod native;
mod pmxcfs;
mod rehearsal;
mod targets;
mod writing;

pub use boot_files::ToolFailed;
pub use database::{by_entries, is_database};
pub use edits::bytes;
pub use id::new_id;
pub use kernels::{Kernels, left_out};
pub use pmxcfs::{DatabaseLock, PmxcfsRuns};
pub use rehearsal::{Order, Outcome, Rehearsed, rehearse};
pub use targets::Targets;
pub use writing::{must_be_whole, opened_for_writing, targets_of};
