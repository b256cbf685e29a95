use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sys_mount::{Mount, MountFlags, Unmount, UnmountFlags};

use crate::unfinished::{self, Kept};
use crate::{Error, Stick};

/// The mounted results partition with one run's folder in the making.
pub struct ResultsMount {
    mount: Option<Mount>,
    partition: PathBuf,
    root: PathBuf,
    /// Where the run's folder grows.
    folder: PathBuf,
}

impl ResultsMount {
    /// Mounts the partition at `target`, which is made when it is missing.
    pub fn new(stick: &Stick, target: &Path) -> Result<Self, Error> {
        if stick.write_protected {
            return Err(Error::WriteProtected {
                path: stick.partition.clone(),
            });
        }
        fs::create_dir_all(target).map_err(Error::io("make", target))?;
        let mount = Mount::builder()
            .fstype("vfat")
            .flags(MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC)
            .data("errors=remount-ro,codepage=437,iocharset=iso8859-1,shortname=mixed")
            .mount(&stick.partition, target)
            .map_err(Error::io("mount", &stick.partition))?;
        Ok(Self {
            mount: Some(mount),
            partition: stick.partition.clone(),
            root: target.to_owned(),
            folder: unfinished::free(target),
        })
    }

    /// Fails when fewer than `needed` bytes are free.
    pub fn require(&self, needed: u64) -> Result<(), Error> {
        let stat = nix::sys::statvfs::statvfs(&self.root)
            .map_err(io::Error::from)
            .map_err(Error::io("ask for free space on", &self.root))?;
        let free = stat.blocks_available().saturating_mul(stat.fragment_size());
        if free < needed {
            return Err(Error::Full {
                path: self.partition.clone(),
                needed,
                free,
            });
        }
        Ok(())
    }

    /// Starts a run's folder, beside what could not be removed.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.folder = unfinished::free(&self.root);
        fs::create_dir(&self.folder).map_err(Error::io("make", &self.folder))
    }

    /// Writes one file of the run and syncs it; folders on its way are made.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let file_path = self.folder.join(path);
        if let Some(folder) = file_path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        }
        let mut file = File::create(&file_path).map_err(Error::io("make", &file_path))?;
        file.write_all(bytes)
            .map_err(Error::io("write", &file_path))?;
        file.sync_all().map_err(Error::io("write", &file_path))
    }

    /// Gives the finished folder the first free name `<name>-<n>`, n from 1, and says which.
    pub fn finish(&self, name: &str) -> Result<String, Error> {
        let chosen = (1_u32..)
            .map(|n| format!("{name}-{n}"))
            .find(|candidate| !self.root.join(candidate).exists())
            .unwrap_or_else(|| name.to_owned());
        let target = self.root.join(&chosen);
        // Syncing a file leaves parts of its folders' entries in memory.
        self.sync_all()?;
        fs::rename(&self.folder, &target).map_err(Error::io("rename to", &target))?;
        // vfat gives a renamed folder an entry that leads nowhere until the folder itself is written (the kernel's
        // fs/fat/namei_vfat.c), so that comes before all else.
        for folder in [&target, &self.root] {
            let opened = File::open(folder).map_err(Error::io("open", folder))?;
            opened.sync_all().map_err(Error::io("sync", folder))?;
        }
        Ok(chosen)
    }

    /// Removes unfinished folders, this run's and those that interrupted runs have left, as far as that works and
    /// no finished run may be lost with them. Says which ones stay for that reason.
    pub fn abandon(&self) -> Vec<Kept> {
        unfinished::remove_all(&self.root)
    }

    /// Syncs and unmounts.
    pub fn close(mut self) -> Result<(), Error> {
        self.sync_all()?;
        let Some(mount) = self.mount.take() else {
            return Ok(());
        };
        mount
            .unmount(UnmountFlags::empty())
            .map_err(Error::io("unmount", &self.partition))
    }

    /// Everything is on the stick, also on one with a write cache: for vfat, syncfs alone leaves that unflushed.
    fn sync_all(&self) -> Result<(), Error> {
        let root = File::open(&self.root).map_err(Error::io("open", &self.root))?;
        nix::unistd::syncfs(&root)
            .map_err(io::Error::from)
            .and_then(|()| root.sync_all())
            .map_err(Error::io("sync", &self.partition))
    }
}

impl Drop for ResultsMount {
    /// A stick that was pulled can only be let go lazily.
    fn drop(&mut self) {
        if let Some(mount) = self.mount.take() {
            let _ = mount.unmount(UnmountFlags::DETACH);
        }
    }
}
