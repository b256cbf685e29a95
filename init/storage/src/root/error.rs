use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::Kind;

/// Why something in an installed system could not be read. Paths are as that system has them.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// Nothing stands there.
    #[error("{path} is not there")]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A link leads to itself, or through more links than the kernel follows.
    #[error("{path} is a loop of symbolic links")]
    Loop {
        /// The path.
        path: PathBuf,
    },
    /// Something else than a regular file; it was not opened.
    #[error("{path} is {}, not a regular file; it was not opened", .kind.words())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// More bytes than a file of its kind has.
    #[error("{path} is larger than {limit} bytes; it was not read")]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Bytes.
        limit: u64,
    },
    /// More entries than a folder of its kind has.
    #[error("{path} has more than {limit} entries; it was not listed")]
    TooMany {
        /// The path.
        path: PathBuf,
        /// Entries.
        limit: usize,
    },
    /// Another file took its place while it was opened.
    #[error("{path} was replaced while it was being opened; look again")]
    Changed {
        /// The path.
        path: PathBuf,
    },
    /// The kernel said no.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::File => "a regular file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Other => "a device, pipe or socket",
        }
    }
}

impl RootError {
    pub(super) fn new(path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::ENOENT | Errno::ENOTDIR => Self::Missing { path },
            Errno::ELOOP => Self::Loop { path },
            other => Self::Io {
                path,
                cause: other.into(),
            },
        }
    }

    pub(super) fn io(path: &Path, cause: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            cause,
        }
    }

    /// Whether nothing stands there, which for most files is an answer and no trouble.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}
