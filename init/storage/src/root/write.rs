//! Changes inside a root. The folder of each path is resolved inside; its last name is never followed.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, RenameFlags, openat2, renameat, renameat2};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::Root;

/// What a file system says that takes no flags of renameat2(2).
const NO_FLAGS: [Errno; 3] = [Errno::EINVAL, Errno::ENOSYS, Errno::EOPNOTSUPP];

/// Why something inside a root could not be changed. Paths are as that system has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be {action}: {}", .path.display(), .errno.desc())]
pub struct WriteError {
    /// What was to be done, as in "cannot be written".
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// The kernel's answer.
    pub errno: Errno,
}

impl WriteError {
    /// Makes an error of a number into one with its place.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> Self {
        move |errno| Self {
            action,
            path: path.to_owned(),
            errno,
        }
    }
}

impl Root {
    /// A new file with these permission bits. Fails where anything has that name already.
    pub fn create(&self, path: impl AsRef<Path>, mode: u32) -> Result<File, WriteError> {
        let path = path.as_ref();
        let failed = |errno| WriteError::at("created", path)(errno);
        let (folder, name) = self.parent(path).map_err(failed)?;
        let how = OpenHow::new()
            .flags(OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC)
            .mode(Mode::from_bits_truncate(mode))
            .resolve(self.inside());
        let file = openat2(folder.as_fd(), name.as_os_str(), how).map_err(failed)?;
        Ok(file.into())
    }

    /// A new folder with these permission bits. Fails where anything has that name already.
    pub fn make_folder(&self, path: impl AsRef<Path>, mode: u32) -> Result<(), WriteError> {
        let path = path.as_ref();
        let mode = Mode::from_bits_truncate(mode);
        self.parent(path)
            .and_then(|(folder, name)| mkdirat(folder, name.as_os_str(), mode))
            .map_err(WriteError::at("made", path))
    }

    /// Removes a name that is no folder.
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        self.unlink(path.as_ref(), UnlinkatFlags::NoRemoveDir)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        self.unlink(path.as_ref(), UnlinkatFlags::RemoveDir)
    }

    /// Both names change their files, at once. `EINVAL` where the file system cannot do that: vfat can since
    /// Linux 6.0, ZFS since 2.2.
    pub fn exchange(
        &self,
        one: impl AsRef<Path>,
        other: impl AsRef<Path>,
    ) -> Result<(), WriteError> {
        self.rename_with(one.as_ref(), other.as_ref(), RenameFlags::RENAME_EXCHANGE)
    }

    /// Gives a file another name. Fails where anything has that name already; where the file system cannot say
    /// so itself (ZFS before 2.2, vfat before Linux 4.9), it is looked at before.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), WriteError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        match self.rename_with(from, to, RenameFlags::RENAME_NOREPLACE) {
            Err(error) if NO_FLAGS.contains(&error.errno) => {
                self.vacant(to)
                    .map_err(WriteError::at("put in place", to))?;
                self.rename_with(from, to, RenameFlags::empty())
            }
            other => other,
        }
    }

    /// Fails where anything has that name, or nobody can say.
    fn vacant(&self, path: &Path) -> Result<(), Errno> {
        let (folder, name) = self.parent(path)?;
        match fstatat(folder, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Gives a file another name, in place of what has it.
    pub fn replace(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), WriteError> {
        self.rename_with(from.as_ref(), to.as_ref(), RenameFlags::empty())
    }

    /// A folder, opened so that it can be synced and its file system be spoken to.
    pub fn handle(&self, path: impl AsRef<Path>) -> Result<File, WriteError> {
        let path = path.as_ref();
        self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
            .map(File::from)
            .map_err(WriteError::at("opened", path))
    }

    fn unlink(&self, path: &Path, flags: UnlinkatFlags) -> Result<(), WriteError> {
        self.parent(path)
            .and_then(|(folder, name)| unlinkat(folder, name.as_os_str(), flags))
            .map_err(WriteError::at("removed", path))
    }

    fn rename_with(&self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), WriteError> {
        let rename = || {
            let (from_folder, from_name) = self.parent(from)?;
            let (to_folder, to_name) = self.parent(to)?;
            let (from_name, to_name) = (from_name.as_os_str(), to_name.as_os_str());
            if flags.is_empty() {
                return renameat(from_folder, from_name, to_folder, to_name);
            }
            renameat2(from_folder, from_name, to_folder, to_name, flags)
        };
        rename().map_err(WriteError::at("put in place", to))
    }

    /// The folder that a path is in, and its name there.
    fn parent(&self, path: &Path) -> Result<(OwnedFd, OsString), Errno> {
        let name = path.file_name().ok_or(Errno::EINVAL)?.to_owned();
        let folder = path.parent().ok_or(Errno::EINVAL)?;
        let folder = self.resolve(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        Ok((folder, name))
    }
}
