//! Files of this boot that another process may read at any moment.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Writes a file, with the folders above it, so that its name only ever stands for a whole one. In memory alone:
/// nothing is synced.
pub fn write(path: &Path, fill: impl FnOnce(File) -> io::Result<()>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    fill(File::create(&new)?)?;
    fs::rename(&new, path)
}
