use std::fs;

use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::kinds::kind;
use super::{Look, Purpose, root_folder};
use crate::Root;
use crate::model::{FileSystemId, Trouble};
use crate::read_only::is_read_only;

impl Look {
    /// Mounts a file system, once.
    pub(super) fn mount(&mut self, id: &FileSystemId) -> Result<Root, Trouble> {
        if let Some(root) = self.mounted.get(id) {
            return Ok(root.clone());
        }
        let failed = |why: String| Trouble::NotMounted {
            file_system: id.clone(),
            why,
        };
        let system = self
            .storage
            .file_system(id)
            .cloned()
            .ok_or_else(|| failed("there is no such file system in this look".to_owned()))?;
        self.need(&system.kind);
        let (device, options) = match id {
            FileSystemId::DataSet { pool, name } => self
                .imported_name(*pool, name)
                .map(|name| (name, String::new())),
            _ => self.source(&system),
        }
        .ok_or_else(|| failed("what holds it could not be assembled".to_owned()))?;
        if system.missing > 0 && self.wanted().is_some() {
            let why = "a member is missing, and what is written would not be on it";
            return Err(failed(why.to_owned()));
        }
        let driver = kind(&system.kind).map_or(system.kind.as_str(), |kind| kind.driver);
        let place = self.options.folder.join(format!("mounts/{}", self.mounts));
        fs::create_dir_all(&place).map_err(|error| failed(error.to_string()))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | closed(&self.options.purpose);
        mount(
            Some(device.as_str()),
            &place,
            Some(driver),
            flags,
            Some(options.as_str()),
        )
        .map_err(|errno| failed(refused(driver, &device, errno)))?;
        self.mounts += 1;
        let root = Root::open(&place).map_err(|error| {
            // Nobody knows of it yet.
            let _ = umount2(&place, MntFlags::MNT_DETACH);
            failed(error.to_string())
        })?;
        self.mounted.insert(id.clone(), root.clone());
        Ok(root)
    }

    /// Puts a folder of a file system over a mount point inside a root, as the installed system does when it
    /// runs. The mount point is found inside the root, wherever its links lead.
    pub fn join(
        &mut self,
        root: &Root,
        mount_point: &str,
        id: &FileSystemId,
        folder: &str,
    ) -> Result<(), Trouble> {
        let failed = |why: String| Trouble::NotMounted {
            file_system: id.clone(),
            why,
        };
        let source = self
            .mount(id)?
            .folder(root_folder(folder))
            .map_err(|error| failed(error.to_string()))?;
        let target = root
            .folder(mount_point)
            .map_err(|error| failed(error.to_string()))?;
        let place = |root: &Root| format!("/proc/self/fd/{}", root.as_fd().as_raw_fd());
        mount(
            Some(place(&source).as_str()),
            Path::new(&place(&target)),
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .map_err(|errno| failed(format!("over {mount_point}: {}", errno.desc())))
    }

    /// Unmounts a file system that holds nothing of interest.
    pub(super) fn unmount(&mut self, id: &FileSystemId) {
        if let Some(root) = self.mounted.remove(id) {
            let place = root.path().to_owned();
            drop(root);
            // One that stays is met again at the end.
            let _ = umount2(&place, MntFlags::UMOUNT_NOFOLLOW);
        }
    }

    /// The name that a data set has in this look.
    fn imported_name(&self, pool: u64, name: &str) -> Option<String> {
        let pool = self.storage.pools.iter().find(|one| one.guid == pool)?;
        let inside = name.strip_prefix(&pool.name)?;
        Some(format!("{}{inside}", pool.imported.as_deref()?))
    }
}

/// Why a driver did not mount a device. mount(2) says no more than that access is denied where the device cannot be
/// written to.
fn refused(driver: &str, device: &str, errno: Errno) -> String {
    let said = format!("the driver {driver} says: {}", errno.desc());
    let about_access = matches!(errno, Errno::EACCES | Errno::EROFS);
    if about_access && is_read_only(Path::new(device)).unwrap_or(false) {
        format!("{device} is read-only, as its volume group or the disk itself has it; {said}")
    } else {
        said
    }
}

/// What is forbidden beside: only a rehearsal runs what is there.
fn closed(purpose: &Purpose) -> MsFlags {
    match purpose {
        Purpose::Read | Purpose::Plan => MsFlags::MS_RDONLY | MsFlags::MS_NOEXEC,
        Purpose::Rehearse => MsFlags::empty(),
        Purpose::Write(_) => MsFlags::MS_NOEXEC,
    }
}
