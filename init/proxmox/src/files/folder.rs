use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use super::{FileError, Files, Kind, NAMES};

/// A folder as a root. The kernel itself keeps every path inside it (openat2(2), RESOLVE_IN_ROOT), so a link
/// that is changed under way cannot lead out either.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
}

impl Folder {
    /// Opens the folder. Fails with its path.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(path, flags, Mode::empty()).map_err(|errno| error(path, errno))?;
        Ok(Self { root })
    }

    /// A folder inside this one, as a root of its own.
    pub fn below(&self, path: &Path) -> Result<Self, FileError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let root = self.open_inside(path, flags);
        let root = root.map_err(|errno| self.missing_or(path, errno))?;
        Ok(Self { root })
    }

    fn open_inside(&self, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let inside = if inside.as_os_str().is_empty() {
            Path::new(".")
        } else {
            inside
        };
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(self.root.as_fd(), inside, how)
    }

    /// What is there, without opening it: opening a device can act on it, and opening a pipe waits.
    fn look(&self, path: &Path) -> Result<(OwnedFd, FileStat), FileError> {
        let found = self.open_inside(path, OFlag::O_PATH);
        let found = found.map_err(|errno| self.missing_or(path, errno))?;
        let stat = fstat(&found).map_err(|errno| error(path, errno))?;
        Ok((found, stat))
    }

    fn missing_or(&self, path: &Path, errno: Errno) -> FileError {
        match self.link(path) {
            Ok(target) if errno == Errno::ENOENT => FileError::Dangling {
                path: path.to_owned(),
                target,
            },
            _ => error(path, errno),
        }
    }

    /// Opens what was looked at and found to be of that kind. It is looked at again, for it may have been
    /// replaced between; O_NONBLOCK, so that a pipe put there would not hold us.
    fn open_as(&self, path: &Path, wanted: Kind) -> Result<(OwnedFd, FileStat), FileError> {
        let (_, stat) = self.look(path)?;
        expect_kind(path, &stat, wanted)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened = match self.open_inside(path, flags | OFlag::O_NOATIME) {
            Err(Errno::EPERM) => self.open_inside(path, flags),
            other => other,
        };
        let opened = opened.map_err(|errno| error(path, errno))?;
        let stat = fstat(&opened).map_err(|errno| error(path, errno))?;
        expect_kind(path, &stat, wanted)?;
        Ok((opened, stat))
    }
}

impl Files for Folder {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        let (file, stat) = self.open_as(path, Kind::File)?;
        let too_large = || FileError::TooLarge {
            path: path.to_owned(),
            limit,
        };
        if u64::try_from(stat.st_size).unwrap_or_default() > limit {
            return Err(too_large());
        }
        let bytes = read_all(path, File::from(file), limit.saturating_add(1))?;
        // A file can grow while it is read, and some of /proc and /sys say that they are empty.
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        Ok(bytes)
    }

    fn tail(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        let (file, stat) = self.open_as(path, Kind::File)?;
        let mut file = File::from(file);
        let length = u64::try_from(stat.st_size).unwrap_or_default();
        let start = SeekFrom::Start(length.saturating_sub(limit));
        file.seek(start).map_err(|failure| io(path, &failure))?;
        read_all(path, file, limit)
    }

    fn list(&self, path: &Path) -> Result<Vec<OsString>, FileError> {
        let (folder, _) = self.open_as(path, Kind::Folder)?;
        let mut folder = Dir::from_fd(folder).map_err(|errno| error(path, errno))?;
        let mut names = Vec::new();
        for entry in folder.iter() {
            let entry = entry.map_err(|errno| error(path, errno))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == NAMES {
                return Err(FileError::TooLarge {
                    path: path.to_owned(),
                    limit: NAMES as u64,
                });
            }
            names.push(OsString::from_vec(name.to_owned()));
        }
        names.sort();
        Ok(names)
    }

    fn kind(&self, path: &Path) -> Result<Kind, FileError> {
        self.look(path).map(|(_, stat)| kind_of(&stat))
    }

    fn link(&self, path: &Path) -> Result<PathBuf, FileError> {
        let found = self
            .open_inside(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
            .map_err(|errno| error(path, errno))?;
        let stat = fstat(&found).map_err(|errno| error(path, errno))?;
        expect_kind(path, &stat, Kind::Link)?;
        let target = readlinkat(found.as_fd(), "").map_err(|errno| error(path, errno))?;
        Ok(PathBuf::from(target))
    }
}

fn read_all(path: &Path, file: File, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|failure| io(path, &failure))?;
    Ok(bytes)
}

fn kind_of(stat: &FileStat) -> Kind {
    let format = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    match format {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Folder,
        SFlag::S_IFLNK => Kind::Link,
        SFlag::S_IFIFO => Kind::Pipe,
        SFlag::S_IFSOCK => Kind::Socket,
        _ => Kind::Device,
    }
}

fn expect_kind(path: &Path, stat: &FileStat, wanted: Kind) -> Result<(), FileError> {
    let kind = kind_of(stat);
    if kind == wanted {
        return Ok(());
    }
    Err(FileError::Wrong {
        path: path.to_owned(),
        kind,
        wanted,
    })
}

fn io(path: &Path, failure: &std::io::Error) -> FileError {
    failure.raw_os_error().map_or_else(
        || FileError::Io {
            path: path.to_owned(),
            reason: failure.to_string(),
        },
        |code| error(path, Errno::from_raw(code)),
    )
}

fn error(path: &Path, errno: Errno) -> FileError {
    let path = path.to_owned();
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => FileError::Missing(path),
        Errno::ELOOP => FileError::Loop(path),
        Errno::EACCES | Errno::EPERM => FileError::Denied(path),
        other => FileError::Io {
            path,
            reason: other.desc().to_owned(),
        },
    }
}
