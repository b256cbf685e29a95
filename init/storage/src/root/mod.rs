//! Files of an installed system, by the paths that they have in that system.

mod error;
mod kind;
mod status;
mod write;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat};

pub use error::RootError;
pub use kind::Kind;
pub use status::Status;
pub use write::WriteError;

/// More names than this in one folder are not listed; no folder of an honest system that is read here has as
/// many.
pub const NAMES: usize = 1 << 16;

/// The root folder of a system. Every path is resolved as that system itself would: an absolute link, and any
/// number of `..`, ends inside. The kernel keeps it so (`RESOLVE_IN_ROOT` of openat2(2)), so that a link which
/// is changed under way cannot lead out either. What is no regular file or folder is looked at, never opened.
#[derive(Clone, Debug)]
pub struct Root {
    folder: Arc<OwnedFd>,
    path: PathBuf,
    one_file_system: bool,
}

impl Root {
    /// Opens a folder as a root.
    pub fn open(path: &Path) -> Result<Self, RootError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder =
            open(path, flags, Mode::empty()).map_err(|errno| RootError::new(path, errno))?;
        Ok(Self {
            folder: Arc::new(folder),
            path: path.to_owned(),
            one_file_system: false,
        })
    }

    /// The same, but what is mounted inside cannot be reached: whoever syncs a file system has written to no other.
    #[must_use]
    pub fn on_one_file_system(&self) -> Self {
        Self {
            one_file_system: true,
            ..self.clone()
        }
    }

    /// Where the folder is in the running system: for messages, and for programs that work in it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder inside as a root of its own: a subvolume, an ESP.
    pub fn folder(&self, path: impl AsRef<Path>) -> Result<Self, RootError> {
        let path = path.as_ref();
        let (folder, stat) = self.look(path)?;
        expect_kind(path, &stat, Kind::Folder)?;
        let inside = path.strip_prefix("/").unwrap_or(path);
        Ok(Self {
            folder: Arc::new(folder),
            path: self.path.join(inside),
            one_file_system: self.one_file_system,
        })
    }

    /// All of a regular file of at most `limit` bytes; links are followed inside the root.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, RootError> {
        let path = path.as_ref();
        let (file, stat) = self.open_as(path, Kind::File)?;
        let too_large = || RootError::TooLarge {
            path: path.to_owned(),
            limit,
        };
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size > limit {
            return Err(too_large());
        }
        let bytes = read_all(path, File::from(file), size, limit.saturating_add(1))?;
        // A file can grow while it is read, and some of /proc and /sys say that they are empty.
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        Ok(bytes)
    }

    /// The last `limit` bytes of a regular file, or all of a shorter one.
    pub fn tail(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, RootError> {
        let path = path.as_ref();
        let (file, stat) = self.open_as(path, Kind::File)?;
        let mut file = File::from(file);
        let length = u64::try_from(stat.st_size).unwrap_or_default();
        let start = SeekFrom::Start(length.saturating_sub(limit));
        file.seek(start)
            .map_err(|failure| RootError::io(path, &failure))?;
        read_all(path, file, length.min(limit), limit)
    }

    /// A regular file, opened for reading.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<File, RootError> {
        let (file, _) = self.open_as(path.as_ref(), Kind::File)?;
        Ok(file.into())
    }

    /// What stands at a path when all links are followed inside the root.
    pub fn kind(&self, path: impl AsRef<Path>) -> Result<Kind, RootError> {
        self.look(path.as_ref()).map(|(_, stat)| Kind::of(&stat))
    }

    /// What stands at a path itself, the last link not followed.
    pub fn kind_of_entry(&self, path: impl AsRef<Path>) -> Result<Kind, RootError> {
        self.entry(path.as_ref()).map(|(_, stat)| Kind::of(&stat))
    }

    /// The text of a symbolic link, as it stands. Fails on what is no link.
    pub fn link(&self, path: impl AsRef<Path>) -> Result<PathBuf, RootError> {
        let path = path.as_ref();
        let (link, stat) = self.entry(path)?;
        expect_kind(path, &stat, Kind::Link)?;
        let text = readlinkat(link.as_fd(), "").map_err(|errno| RootError::new(path, errno))?;
        Ok(text.into())
    }

    /// Names in a folder, sorted, without `.` and `..`; they need not be UTF-8. At most [`NAMES`].
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<OsString>, RootError> {
        let path = path.as_ref();
        let failed = |errno| RootError::new(path, errno);
        let (folder, _) = self.open_as(path, Kind::Folder)?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(folder).map_err(failed)?.iter() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if names.len() == NAMES {
                return Err(RootError::TooMany {
                    path: path.to_owned(),
                    limit: NAMES,
                });
            }
            names.push(OsStr::from_bytes(name).to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What is there, without opening it: opening a device can act on it, and opening a pipe waits.
    fn look(&self, path: &Path) -> Result<(OwnedFd, FileStat), RootError> {
        let found = self.resolve(path, OFlag::O_PATH);
        let found = found.map_err(|errno| self.missing_or(path, errno))?;
        let stat = fstat(&found).map_err(|errno| RootError::new(path, errno))?;
        Ok((found, stat))
    }

    /// The same of the last link itself.
    fn entry(&self, path: &Path) -> Result<(OwnedFd, FileStat), RootError> {
        let failed = |errno| RootError::new(path, errno);
        let found = self.resolve(path, OFlag::O_PATH | OFlag::O_NOFOLLOW);
        let found = found.map_err(failed)?;
        let stat = fstat(&found).map_err(failed)?;
        Ok((found, stat))
    }

    fn missing_or(&self, path: &Path, errno: Errno) -> RootError {
        match self.link(path) {
            Ok(target) if errno == Errno::ENOENT => RootError::Dangling {
                path: path.to_owned(),
                target,
            },
            _ => RootError::new(path, errno),
        }
    }

    /// Opens what was looked at and found to be of that kind. It is looked at again, for it may have been
    /// replaced between; O_NONBLOCK, so that a pipe put there would not hold us.
    fn open_as(&self, path: &Path, wanted: Kind) -> Result<(OwnedFd, FileStat), RootError> {
        let (_, seen) = self.look(path)?;
        expect_kind(path, &seen, wanted)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened = match self.resolve(path, flags | OFlag::O_NOATIME) {
            // Only its owner and root may ask for that.
            Err(Errno::EPERM) => self.resolve(path, flags),
            other => other,
        };
        let opened = opened.map_err(|errno| RootError::new(path, errno))?;
        let stat = fstat(&opened).map_err(|errno| RootError::new(path, errno))?;
        if (stat.st_dev, stat.st_ino) != (seen.st_dev, seen.st_ino) {
            return Err(RootError::Changed(path.to_owned()));
        }
        Ok((opened, stat))
    }

    fn resolve(&self, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let inside = if inside.as_os_str().is_empty() {
            Path::new(".")
        } else {
            inside
        };
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(self.inside());
        openat2(self.folder.as_fd(), inside, how)
    }

    /// How every path is resolved.
    fn inside(&self) -> ResolveFlag {
        let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        if self.one_file_system {
            inside | ResolveFlag::RESOLVE_NO_XDEV
        } else {
            inside
        }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

fn read_all(path: &Path, file: File, expected: u64, limit: u64) -> Result<Vec<u8>, RootError> {
    /// What a file says of its size is believed so far and no further.
    const BELIEVED: u64 = 64 << 20;
    let room = usize::try_from(expected.min(limit).min(BELIEVED)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(room);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|failure| RootError::io(path, &failure))?;
    Ok(bytes)
}

fn expect_kind(path: &Path, stat: &FileStat, wanted: Kind) -> Result<(), RootError> {
    let kind = Kind::of(stat);
    if kind == wanted {
        return Ok(());
    }
    Err(RootError::Wrong {
        path: path.to_owned(),
        kind,
        wanted,
    })
}
