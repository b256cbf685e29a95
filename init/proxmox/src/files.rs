//! Reading inside one root: the seam between an installed system and the disk, folder or memory that holds it.

mod folder;
mod memory;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use folder::Folder;
pub use memory::MemoryFiles;

/// Files below one root. Every path is taken inside it, as the installed system itself would: a leading
/// slash, a link to an absolute path and `..` all end at this root, never outside.
pub trait Files {
    /// The whole of a regular file. Fails on anything that is none, and on one longer than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError>;
    /// The last `limit` bytes of a regular file, or all of a shorter one.
    fn tail(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError>;
    /// The names in a folder, sorted, without `.` and `..`; at most [`NAMES`].
    fn list(&self, path: &Path) -> Result<Vec<OsString>, FileError>;
    /// What is there, links followed.
    fn kind(&self, path: &Path) -> Result<Kind, FileError>;
    /// Where a link points, as it is written in it. Fails on what is no link.
    fn link(&self, path: &Path) -> Result<PathBuf, FileError>;
}

/// More names than this in one folder are not listed.
pub const NAMES: usize = 65_536;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Link => "a link",
            Self::Pipe => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// Why something inside a root could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing has that name.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// A link whose target is not there, seen from this root.
    #[error("{} is a link to {}, which is not there in this system", .path.display(), .target.display())]
    Dangling {
        /// The link.
        path: PathBuf,
        /// What is written in it.
        target: PathBuf,
    },
    /// Links that lead round in a circle, or too many in a row.
    #[error("{} leads through links that never end", .0.display())]
    Loop(PathBuf),
    /// It is something else than was asked for.
    #[error("{} is {kind}, not {wanted}", .path.display())]
    Wrong {
        /// Where.
        path: PathBuf,
        /// What is there.
        kind: Kind,
        /// What should be.
        wanted: Kind,
    },
    /// It is longer than anything that belongs there.
    #[error("{} is larger than {limit} bytes, which is more than is read of it", .path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
        /// Bytes, or names in a folder.
        limit: u64,
    },
    /// The running user may not.
    #[error("{} may not be read; run Preflight as root", .0.display())]
    Denied(PathBuf),
    /// Anything else that the kernel said.
    #[error("{} cannot be read: {reason}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The kernel's words.
        reason: String,
    },
}
