//! File access whose errors name the path.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
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

/// Makes a file that appears only when `fill` has written all of it; gives its length. The folders above it are
/// made. What is there and is no file stays: a new name for `/dev/sdb` would leave the stick as it was.
pub fn put_in_place<E: From<IoError>>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<u64, E> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let why = "it is a device or a folder; write to a file, and that to a stick with dd or any other tool";
        return Err(io::Error::other(why)).at("put a file in place of", path)?;
    }
    create_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).at("make a file in", folder)?;
    fill(file.as_file_mut())?;
    let length = file.as_file().metadata().at("read", path)?.len();
    // A temporary file is for its maker alone; this one is for everybody.
    let everybody = Permissions::from_mode(0o644);
    file.as_file()
        .set_permissions(everybody)
        .at("set the permissions of", path)?;
    file.persist(path)
        .map_err(|error| error.error)
        .at("put in place", path)?;
    Ok(length)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_not_replaced_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stick");
        create_folder(&path).unwrap();
        let fill = |_: &mut File| -> Result<(), IoError> { panic!("nothing is built for it") };
        let error = put_in_place(&path, fill).unwrap_err();
        assert_eq!(error.action, "put a file in place of");
        assert!(path.is_dir());
        let device = put_in_place(Path::new("/dev/null"), fill).unwrap_err();
        assert!(device.source.to_string().contains("with dd"), "{device}");
    }
}
