use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::Kind;

/// Why something inside a root could not be read. Paths are as that system has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
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
    /// Links that lead round in a circle, or more in a row than the kernel follows.
    #[error("{} leads through links that never end", .0.display())]
    Loop(PathBuf),
    /// It is something else than was asked for, and was not opened.
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
        /// Bytes.
        limit: u64,
    },
    /// A folder with more names than any that belongs there.
    #[error("{} has more than {limit} names, which is more than is listed of it", .path.display())]
    TooMany {
        /// Where.
        path: PathBuf,
        /// Names.
        limit: usize,
    },
    /// Another file took its place while it was opened.
    #[error("{} was replaced while it was being opened; look again", .0.display())]
    Changed(PathBuf),
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

impl RootError {
    pub(super) fn new(path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::ENOENT | Errno::ENOTDIR => Self::Missing(path),
            Errno::ELOOP => Self::Loop(path),
            Errno::EACCES | Errno::EPERM => Self::Denied(path),
            Errno::EXDEV => Self::Io {
                path,
                reason: "it is on another file system, which is mounted there".to_owned(),
            },
            other => Self::Io {
                path,
                reason: other.desc().to_owned(),
            },
        }
    }

    pub(super) fn io(path: &Path, failure: &io::Error) -> Self {
        failure.raw_os_error().map_or_else(
            || Self::Io {
                path: path.to_owned(),
                reason: failure.to_string(),
            },
            |code| Self::new(path, Errno::from_raw(code)),
        )
    }

    /// Whether nothing stands there, which for most files is an answer and no trouble.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Dangling { .. })
    }
}
