//! Reading inside one root: the seam between an installed system and the disk, folder or memory that holds it.

mod memory;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use memory::MemoryFiles;
use storage::Root;
pub use storage::{Kind, NAMES, RootError};

/// Files below one root. Every path is taken inside it, as the installed system itself would: a leading
/// slash, a link to an absolute path and `..` all end at this root, never outside.
pub trait Files {
    /// The whole of a regular file. Fails on anything that is none, and on one longer than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, RootError>;
    /// The last `limit` bytes of a regular file, or all of a shorter one.
    fn tail(&self, path: &Path, limit: u64) -> Result<Vec<u8>, RootError>;
    /// The names in a folder, sorted, without `.` and `..`; at most [`NAMES`].
    fn list(&self, path: &Path) -> Result<Vec<OsString>, RootError>;
    /// What is there, links followed.
    fn kind(&self, path: &Path) -> Result<Kind, RootError>;
    /// Where a link points, as it is written in it. Fails on what is no link.
    fn link(&self, path: &Path) -> Result<PathBuf, RootError>;
}

impl Files for Root {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, RootError> {
        self.read(path, limit)
    }

    fn tail(&self, path: &Path, limit: u64) -> Result<Vec<u8>, RootError> {
        self.tail(path, limit)
    }

    fn list(&self, path: &Path) -> Result<Vec<OsString>, RootError> {
        self.list(path)
    }

    fn kind(&self, path: &Path) -> Result<Kind, RootError> {
        self.kind(path)
    }

    fn link(&self, path: &Path) -> Result<PathBuf, RootError> {
        self.link(path)
    }
}
