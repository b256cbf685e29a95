//! File access whose errors name the path.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Something about a file or folder could not be done.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct IoError {
    /// What was tried, as an English infinitive: `read`, `create folder`.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Adds the action and the path to an [`io::Result`].
pub trait Context<T> {
    /// Names what was tried and on which path.
    fn at(self, action: &'static str, path: &Path) -> Result<T, IoError>;
}

impl<T> Context<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, IoError> {
        self.map_err(|source| IoError {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

/// The whole content of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, IoError> {
    fs::read(path).at("read", path)
}

/// Writes a whole file.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), IoError> {
    fs::write(path, content).at("write", path)
}

/// Makes a folder and the folders above it.
pub fn create_folder(path: &Path) -> Result<(), IoError> {
    fs::create_dir_all(path).at("create folder", path)
}

/// What is in a folder, sorted by name.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .at("list", folder)?;
    paths.sort();
    Ok(paths)
}
