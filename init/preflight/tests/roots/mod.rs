//! Roots of installed systems, made file by file.

use std::fs;
use std::path::Path;

/// Writes a file below a root, with the folders that lead to it.
pub fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
