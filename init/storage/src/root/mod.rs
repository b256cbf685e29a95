//! Files of an installed system, by the paths that they have in that system.

mod error;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstat, fstatat};

pub use error::RootError;

/// No folder of an honest system that is read here has more entries.
const MAX_ENTRIES: usize = 1 << 16;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device node, pipe or socket.
    Other,
}

/// The root folder of a system that is not the running one. Every path is resolved as that system itself
/// would: an absolute link, and any number of `..`, ends inside (`RESOLVE_IN_ROOT` of openat2(2)). Only
/// regular files are ever opened; a pipe or a device in the place of one is refused before it is.
#[derive(Clone, Debug)]
pub struct Root {
    folder: Arc<OwnedFd>,
    path: PathBuf,
}

impl Root {
    /// Opens a folder as a root.
    pub fn open(path: &Path) -> Result<Self, RootError> {
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        let folder = openat2(AT_FDCWD, path, how).map_err(|errno| RootError::new(path, errno))?;
        Ok(Self {
            folder: Arc::new(folder),
            path: path.to_owned(),
        })
    }

    /// Where the folder is in the running system: for messages, and for programs that work in it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder inside as a root of its own: a subvolume, an ESP.
    pub fn folder(&self, path: impl AsRef<Path>) -> Result<Self, RootError> {
        let path = path.as_ref();
        let folder = self.resolve(path, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        let inside = path.strip_prefix("/").unwrap_or(path);
        Ok(Self {
            folder: Arc::new(folder),
            path: self.path.join(inside),
        })
    }

    /// All of a regular file of at most `limit` bytes; links are followed inside the root.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, RootError> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        self.file(path)?
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| RootError::io(path, error))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(RootError::TooLarge {
                path: path.to_owned(),
                limit,
            });
        }
        Ok(bytes)
    }

    /// A regular file, opened for reading.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<File, RootError> {
        let path = path.as_ref();
        let seen = self.stat(path)?;
        if kind_of(&seen) != Kind::File {
            return Err(RootError::NotAFile {
                path: path.to_owned(),
                kind: kind_of(&seen),
            });
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened = self.resolve(path, flags)?;
        let stat = fstat(&opened).map_err(|errno| RootError::new(path, errno))?;
        if (stat.st_dev, stat.st_ino) != (seen.st_dev, seen.st_ino) {
            return Err(RootError::Changed {
                path: path.to_owned(),
            });
        }
        Ok(opened.into())
    }

    /// What stands at a path when all links are followed inside the root.
    pub fn kind(&self, path: impl AsRef<Path>) -> Result<Kind, RootError> {
        self.stat(path.as_ref()).map(|stat| kind_of(&stat))
    }

    /// What stands at a path itself, the last link not followed.
    pub fn kind_of_entry(&self, path: impl AsRef<Path>) -> Result<Kind, RootError> {
        let path = path.as_ref();
        let (folder, name) = self.parent(path)?;
        let stat = fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| RootError::new(path, errno))?;
        Ok(kind_of(&stat))
    }

    /// The text of a symbolic link, as it stands.
    pub fn link(&self, path: impl AsRef<Path>) -> Result<PathBuf, RootError> {
        let path = path.as_ref();
        let (folder, name) = self.parent(path)?;
        let text = readlinkat(&folder, name).map_err(|errno| RootError::new(path, errno))?;
        Ok(text.into())
    }

    /// Names in a folder, sorted; they need not be UTF-8.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<OsString>, RootError> {
        let path = path.as_ref();
        let failed = |errno| RootError::new(path, errno);
        let folder = self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(folder).map_err(failed)?.iter() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if names.len() == MAX_ENTRIES {
                return Err(RootError::TooMany {
                    path: path.to_owned(),
                    limit: MAX_ENTRIES,
                });
            }
            names.push(OsStr::from_bytes(name).to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn stat(&self, path: &Path) -> Result<FileStat, RootError> {
        let place = self.resolve(path, OFlag::O_PATH)?;
        fstat(&place).map_err(|errno| RootError::new(path, errno))
    }

    /// The folder that an entry stands in, and its name there.
    fn parent<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a OsStr), RootError> {
        let name = path
            .file_name()
            .ok_or_else(|| RootError::new(path, Errno::EISDIR))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = self.resolve(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        Ok((folder, name))
    }

    fn resolve(&self, path: &Path, flags: OFlag) -> Result<OwnedFd, RootError> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(self.folder.as_fd(), path, how).map_err(|errno| RootError::new(path, errno))
    }
}

fn kind_of(stat: &FileStat) -> Kind {
    match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Folder,
        SFlag::S_IFLNK => Kind::Link,
        _ => Kind::Other,
    }
}
