use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstat, fstatat};

use crate::Reading;

/// Attributes and other short texts: more is cut.
pub(crate) const TEXT_LIMIT: usize = 64 << 10;
/// No folder of an honest machine has more entries.
const MAX_ENTRIES: usize = 1 << 16;

/// A folder that is read without ever leaving it: links are followed only as long as they stay inside
/// (`RESOLVE_BENEATH`), and nothing is opened that is not a regular file. A saved machine may come from
/// anybody, and a link to /dev/watchdog or /etc/shadow in it must do nothing.
pub(crate) struct Tree {
    path: PathBuf,
    handle: OwnedFd,
}

/// What a path is, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device node, pipe or socket.
    Other,
}

impl Tree {
    /// Opens a folder as the root that is never left.
    pub fn open(path: &Path) -> io::Result<Self> {
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
        Ok(Self {
            path: path.to_owned(),
            handle: openat2(AT_FDCWD, path, how)?,
        })
    }

    /// A folder inside as a tree of its own: nothing above it can be reached through it.
    pub fn folder(&self, path: &str) -> io::Result<Self> {
        let handle = self.resolve(path, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        Ok(Self {
            path: self.path.join(path),
            handle,
        })
    }

    /// Where `path` is, for people.
    pub fn name(&self, path: &str) -> String {
        self.path.join(path).display().to_string()
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn resolve(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        Ok(openat2(self.handle.as_fd(), path, how)?)
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

    /// All of a regular file; an error when it is longer than `limit`.
    pub fn all_bytes(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        let bytes = self.bytes(path, limit.saturating_add(1))?;
        if bytes.len() > limit {
            return Err(io::Error::other(format!("longer than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// A short text without its last line break. What is not UTF-8 is replaced.
    pub fn text(&self, path: &str) -> io::Result<String> {
        let bytes = self.bytes(path, TEXT_LIMIT)?;
        Ok(String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\0'])
            .to_owned())
    }

    /// A short text. A file that is not there is absent; one that cannot be read is unknown.
    pub fn read_text(&self, path: &str) -> Reading<String> {
        self.reading(path, self.text(path))
    }

    /// What became of an attempt at `path`: not found is absent.
    pub fn reading<T>(&self, path: &str, result: io::Result<T>) -> Reading<T> {
        match result {
            Ok(value) => Reading::Known(value),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Reading::Absent,
            Err(error) => Reading::Unknown(format!("{}: {}", self.name(path), why(&error))),
        }
    }

    /// Like [`Tree::reading`] for what is there on every machine: not found is unknown.
    pub fn expected<T>(&self, path: &str, result: io::Result<T>) -> Reading<T> {
        match self.reading(path, result) {
            Reading::Absent => Reading::Unknown(format!("{} is not there", self.name(path))),
            other => other,
        }
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
        Ok(kind_of(&fstatat(
            &folder,
            name,
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )?))
    }

    /// Whether something stands at a path.
    pub fn has(&self, path: &str) -> bool {
        self.kind(path).is_ok()
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

/// An error in a person's words, with what to do where that is known.
pub(crate) fn why(error: &io::Error) -> String {
    const EXDEV: i32 = nix::errno::Errno::EXDEV as i32;
    match error.raw_os_error() {
        Some(EXDEV) => "leads outside the folder that is being read".to_owned(),
        _ if error.kind() == io::ErrorKind::PermissionDenied => "needs root".to_owned(),
        _ => error.to_string(),
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn links_are_followed_inside_the_folder_and_refused_where_they_lead_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let inside = outside.path().join("sys");
        std::fs::create_dir_all(inside.join("devices/a")).unwrap();
        std::fs::write(inside.join("devices/a/vendor"), "0x8086\n").unwrap();
        symlink("devices/a", inside.join("good")).unwrap();
        symlink("../secret", inside.join("upward")).unwrap();
        symlink(outside.path().join("secret"), inside.join("absolute")).unwrap();

        let tree = Tree::open(&inside).unwrap();
        assert_eq!(tree.text("good/vendor").unwrap(), "0x8086");
        for path in ["upward", "absolute", "../secret", "good/../../../secret"] {
            let reading = tree.read_text(path);
            let Reading::Unknown(why) = &reading else {
                panic!("{path}: {reading:?}")
            };
            assert!(
                why.ends_with("leads outside the folder that is being read"),
                "{why}"
            );
        }
        assert_eq!(
            tree.link("absolute").unwrap(),
            outside.path().join("secret").to_str().unwrap()
        );
    }

    #[test]
    fn a_pipe_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&folder.path().join("vendor"), Mode::S_IRUSR).unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        assert!(tree.read_text("vendor").is_unknown());
        assert_eq!(tree.kind("vendor").unwrap(), Kind::Other);
    }

    #[test]
    fn what_is_too_long_is_cut_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("table"), [7; 100]).unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        assert_eq!(tree.bytes("table", 10).unwrap().len(), 10);
        assert_eq!(tree.all_bytes("table", 100).unwrap().len(), 100);
        assert!(tree.all_bytes("table", 99).is_err());
    }
}
