//! Changing the files of an installed system so that the power may go at any instant, and taking that back.
//!
//! A [`ChangeSet`] says which files of which places (the root's file systems, each ESP) become what. A [`Sequence`]
//! finds in it which selectors (boot menus, loader entries) name which payloads (kernels, initrds), and orders
//! [`Act`]s such that after each of them every boot loader reads wholly old or wholly new. That is pure. [`apply()`],
//! [`recover()`] and [`undo()`] do the acts on [`Places`]; the journal, all old files and the [`Receipt`] are in
//! [`FOLDER`] of the root.
//!
//! How it goes, and what each file system is asked for, stands in `docs/apply.md`.

mod act;
mod begun;
mod change;
mod collect;
mod commit;
mod contents;
mod difference;
mod digest;
mod durable;
mod entry;
mod error;
mod fat;
mod give_up;
mod ioctl;
mod living;
mod lock;
mod observe;
mod observed;
mod order;
mod perform;
mod place;
mod progress;
mod receipt;
mod recover;
mod room;
mod run;
mod selector;
mod sequence;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod undo;

pub use act::{Act, Source};
pub use change::{
    Attributes, ChangeSet, FileChange, FileState, FolderChange, NotAnId, PlaceId, ReceiptId, Role,
};
pub use collect::{Collected, Menu, collect};
pub use commit::{Applied, apply};
pub use contents::{Contents, Kept, Memory};
pub use difference::Difference;
pub use digest::{Digest, NotADigest};
pub use entry::{EntryChange, Held};
pub use error::ApplyError;
pub use living::{Instead, Living};
pub use observe::{observe_set, state_of, verify};
pub use observed::{Observed, Seen};
pub use order::Staging;
pub use place::{Durability, Place, Places};
pub use progress::{Event, Progress, unwatched};
pub use receipt::{Receipt, SCHEMA};
pub use recover::{Recovered, Unended, recover, recover_over, unended, unfinished};
pub use room::needed;
pub use sequence::{Sequence, SequenceError, Way};
pub use snapshot::Snapshot;
pub use store::FOLDER;
pub use undo::{Ahead, Since, ahead, changed_since, kept_text, named_places, receipts, undo};
