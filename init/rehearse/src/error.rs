use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// A program could not be run in a root.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a step of setting its surroundings up.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The step, as a verb.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder that every system has is not there, or is something else.
    #[error("{0}; a system that is so broken has to be edited without its own tools")]
    Root(#[from] storage::RootError),
    /// The words that say what to run are not those that [`crate::InRoot`] gives.
    #[error("what to run in which root is not said: {0}")]
    Words(String),
}

impl Error {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn errno(what: &'static str, path: &Path) -> impl FnOnce(Errno) -> Self {
        let failed = Self::io(what, path);
        move |errno| failed(errno.into())
    }
}
