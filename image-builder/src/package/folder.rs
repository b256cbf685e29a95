use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::io::{self, Context, IoError};

/// An unpacked tree.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(super) fn files_below(&self, folder: &str) -> Result<Vec<String>, IoError> {
        let start = self.root.join(folder);
        let mut files = Vec::new();
        if start.is_dir() {
            collect(&start, folder.trim_end_matches('/'), &mut files)?;
        }
        files.sort();
        Ok(files)
    }

    pub(super) fn read(&self, file: &str) -> Result<Option<Vec<u8>>, IoError> {
        let path = self.root.join(file);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            result => result.map(Some).at("read", &path),
        }
    }
}

/// Links to folders are not entered: `build` and `source` beside the modules lead to whole trees.
fn collect(folder: &Path, name: &str, files: &mut Vec<String>) -> Result<(), IoError> {
    for path in io::list(folder)? {
        let Some(last) = path.file_name().and_then(|last| last.to_str()) else {
            continue;
        };
        let name = format!("{name}/{last}");
        let kind = fs::symlink_metadata(&path).at("read", &path)?.file_type();
        if kind.is_dir() {
            collect(&path, &name, files)?;
        } else if path.is_file() {
            files.push(name);
        }
    }
    Ok(())
}
