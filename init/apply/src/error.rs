use std::path::PathBuf;

use nix::errno::Errno;
use storage::{RootError, WriteError};

use crate::change::{PlaceId, ReceiptId};
use crate::difference::Difference;
use crate::digest::Digest;
use crate::sequence::SequenceError;

/// Why files could not be changed, or not be proven right.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Something could not be read.
    #[error(transparent)]
    Read(#[from] RootError),
    /// Something could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Another call of the kernel failed.
    #[error("cannot {action} {} on {place}: {}", .path.display(), .errno.desc())]
    System {
        /// What was to be done.
        action: &'static str,
        /// The file system.
        place: PlaceId,
        /// Where on it.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// The change set has no safe order.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// Nobody has said where it is.
    #[error("{0} is not mounted here, and the change needs it")]
    NoPlace(PlaceId),
    /// Two places cannot be one file system.
    #[error("{one} and {other} are on one file system; say for each where it is itself mounted")]
    OneFileSystem {
        /// The one.
        one: PlaceId,
        /// The other.
        other: PlaceId,
    },
    /// Another run changes the same system.
    #[error("another run of Preflight is changing this system; wait until it has ended")]
    Busy,
    /// Bytes that are to be written are not at hand.
    #[error("the contents with SHA-256 {0} are not at hand")]
    NoContent(Digest),
    /// A copy of new contents in memory.
    #[error("{} cannot be kept until it is written: {error}; with little memory, free some by ending what else runs", .path.display())]
    Kept {
        /// The copy.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What was read of the contents is not what they are called.
    #[error(
        "the contents for {path} are not those that were agreed on: SHA-256 {found}, not {wanted}"
    )]
    OtherContent {
        /// The file to be written.
        path: String,
        /// As agreed.
        wanted: Digest,
        /// As read.
        found: Digest,
    },
    /// Too little free space.
    #[error(
        "{place} has {free} bytes free, and {needed} are needed; make room there and try again. Nothing was changed"
    )]
    NoRoom {
        /// The file system.
        place: PlaceId,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// It is mounted read-only, or the kernel made it so after an error.
    #[error(
        "{place} is read-only; look for errors of its disk in the kernel log, check the file system and try again. Nothing was changed"
    )]
    ReadOnly {
        /// The file system.
        place: PlaceId,
    },
    /// Files are not as they were when the change was worked out, or since it was made.
    #[error("{} changed in the meantime: {}", count(.0), list(.0))]
    Changed(Vec<Difference>),
    /// Entries of a database are not as they were.
    #[error("{} changed in the meantime: {}", if .0.len() == 1 { "an entry" } else { "entries" }, .0.join("; "))]
    Entries(Vec<String>),
    /// After everything was written, files are not as they should be.
    #[error("{} not as written: {}. Something else wrote there, or the disk fails; `preflight undo --overwrite` puts the old files back", count_is(.0), list(.0))]
    NotVerified(Vec<Difference>),
    /// Two files cannot change names at once.
    #[error(
        "this kernel cannot exchange two files on {place}, which a safe switch of {path} needs; run this from the stick, whose kernel can"
    )]
    NoExchange {
        /// The file system.
        place: PlaceId,
        /// The file to be switched.
        path: String,
    },
    /// An apply or undo was begun and not ended.
    #[error("an earlier change, {0}, was begun and not ended; recover it first")]
    Unfinished(ReceiptId),
    /// There is no receipt of that name.
    #[error("there is no receipt {0} on this system")]
    NoReceipt(String),
    /// A document in the journal's folder cannot be used.
    #[error("{path} cannot be used: {reason}")]
    Document {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Somebody asked for a stop before the next act.
    #[error("it was stopped")]
    Stopped,
    /// It failed before anything was switched, and was taken back.
    #[error("{0}. Nothing was switched, and what was staged is removed: the system is as before")]
    GivenUp(Box<ApplyError>),
    /// It failed after something was switched, or what it left could not be tidied up. What boots is wholly old or
    /// wholly new.
    #[error(
        "{cause}.{} It is not ended: what starts is wholly the old or wholly the new system, and recovering goes on from there",
        also(.tidying.as_deref())
    )]
    NotEnded {
        /// What failed first.
        cause: Box<ApplyError>,
        /// What failed when nothing was switched and the rest was to be removed.
        tidying: Option<Box<ApplyError>>,
    },
}

fn also(tidying: Option<&ApplyError>) -> String {
    tidying.map_or_else(String::new, |error| {
        format!(" Nothing was switched, but removing what was staged failed too: {error}.")
    })
}

fn count(differences: &[Difference]) -> String {
    match differences.len() {
        1 => "a file".to_owned(),
        more => format!("{more} files"),
    }
}

fn count_is(differences: &[Difference]) -> String {
    match differences.len() {
        1 => "a file is".to_owned(),
        more => format!("{more} files are"),
    }
}

fn list(differences: &[Difference]) -> String {
    let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
