use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstat, fstatat};

use super::Kind;

/// No folder of an honest machine has more entries.
const MAX_ENTRIES: usize = 1 << 16;

/// A folder of the running system that is read without ever leaving it: links are followed only as long
/// as they stay inside (`RESOLVE_BENEATH`), and nothing is opened that is not a regular file. A saved
/// machine may come from anybody, and a link to /dev/watchdog or /etc/shadow in it must do nothing.
pub(super) struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder as the root that is never left.
    pub fn open(path: &Path) -> io::Result<Self> {
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        Ok(Self(openat2(AT_FDCWD, path, how)?))
    }

    /// A folder inside: nothing above it can be reached through it.
    pub fn folder(&self, path: &str) -> io::Result<Self> {
        self.resolve(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
            .map(Self)
    }

    fn resolve(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        Ok(openat2(self.0.as_fd(), path, how)?)
    }

    /// Opens a regular file. `O_PATH` comes first because opening a device node can already do
    /// something.
    pub fn open_file(&self, path: &str, flags: OFlag) -> io::Result<File> {
        let place = self.resolve(path, OFlag::O_PATH)?;
        if kind_of(&fstat(&place)?) != Kind::File {
            return Err(io::Error::other("not a regular file"));
        }
        self.resolve(path, flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
            .map(File::from)
    }

    /// The first `limit` bytes of a regular file.
    pub fn bytes(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        self.open_file(path, OFlag::O_RDONLY)?
            .take(limit)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The text of a symbolic link. Only the folders on the way to it are followed.
    pub fn link(&self, path: &str) -> io::Result<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let folder = self.resolve(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        let text = readlinkat(&folder, name)?;
        text.into_string()
            .map_err(|_| io::Error::other("the link is not UTF-8"))
    }

    /// What stands at a path, the last link not followed.
    pub fn kind(&self, path: &str) -> io::Result<Kind> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let folder = self.resolve(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        let stat = fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        Ok(kind_of(&stat))
    }

    /// Names in a folder, sorted. Names that are not UTF-8 are none that a kernel made.
    pub fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let folder = self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(folder)?.iter().take(MAX_ENTRIES) {
            match entry?.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        names.sort_unstable();
        Ok(names)
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
