use std::path::Path;

use nix::sys::stat::FileStat;

use super::{Kind, Root, RootError};

/// What stands at a path itself, the last link not followed (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is.
    pub kind: Kind,
    /// The number of the file system that it is on.
    pub device: u64,
    /// Bytes.
    pub size: u64,
    /// Permission bits, with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When its bytes last changed: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
}

impl Status {
    fn of(stat: &FileStat) -> Self {
        Self {
            kind: Kind::of(stat),
            device: stat.st_dev,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
        }
    }
}

impl Root {
    /// What stands at a path itself.
    pub fn status(&self, path: impl AsRef<Path>) -> Result<Status, RootError> {
        self.entry(path.as_ref()).map(|(_, stat)| Status::of(&stat))
    }
}
