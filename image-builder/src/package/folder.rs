use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Stored;
use crate::io::{Context, IoError};

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

    /// None where there is no such file.
    pub(super) fn stored(&self, file: &str) -> Result<Option<Stored<'static>>, IoError> {
        let path = self.root.join(file);
        match File::open(&path).and_then(Stored::whole) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            result => result.map(Some).at("read", &path),
        }
    }
}

/// Links to folders are not entered: `build` and `source` beside the modules lead to whole trees.
fn collect(folder: &Path, name: &str, files: &mut Vec<String>) -> Result<(), IoError> {
    let entries =
        fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<DirEntry>>>());
    for entry in entries.at("list", folder)? {
        let last = entry.file_name();
        let Some(last) = last.to_str() else {
            continue;
        };
        let name = format!("{name}/{last}");
        // The folder says this of most entries; asking for each would take longer than all else here.
        let kind = entry.file_type().at("read", folder)?;
        if kind.is_dir() {
            collect(&entry.path(), &name, files)?;
        } else if kind.is_file() || kind.is_symlink() && entry.path().is_file() {
            files.push(name);
        }
    }
    Ok(())
}
