use std::path::PathBuf;

use crate::apt::AptError;
use crate::io::IoError;
use crate::medium::MediumError;

/// An ISO image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// What it is made of could not be put together.
    #[error(transparent)]
    Medium(#[from] MediumError),
    /// xorriso could not be fetched.
    #[error("cannot fetch xorriso, which writes ISO images")]
    Fetch(#[from] AptError),
    /// xorriso failed.
    #[error("{} failed: {said}", program.display())]
    Tool {
        /// The program.
        program: PathBuf,
        /// What it said.
        said: String,
    },
}
