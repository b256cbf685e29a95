use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use storage::{Root, RootError};

use crate::change::{ChangeSet, PlaceId};
use crate::error::ApplyError;
use crate::living::{Instead, Living};

/// How a sync of a file system is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Also frozen and thawed: boot loaders replay no journal, so that what they are to read must stand in its
    /// place. For file systems of an installed system.
    Checkpointed,
    /// Written out. For a folder of a file system that others use.
    Synced,
}

/// A file system that is mounted, to be changed.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its files.
    pub root: Root,
    /// How its syncs are done.
    pub durability: Durability,
}

/// Where the places of a change set are in the running system.
#[derive(Clone, Debug, Default)]
pub struct Places {
    places: BTreeMap<PlaceId, Place>,
    living: Option<Living>,
}

impl Places {
    /// Adds one.
    #[must_use]
    pub fn with(mut self, id: PlaceId, place: Place) -> Self {
        self.places.insert(id, place);
        self
    }

    /// Has this asked for files that others write to.
    #[must_use]
    pub fn knowing(mut self, living: Living) -> Self {
        self.living = Some(living);
        self
    }

    /// What becomes of files that others have written to since.
    pub(crate) fn instead(&self, set: &ChangeSet) -> Result<Option<Instead>, ApplyError> {
        self.living.map_or(Ok(None), |living| living(self, set))
    }

    /// One by its name.
    pub fn get(&self, id: &PlaceId) -> Result<&Place, ApplyError> {
        self.places
            .get(id)
            .ok_or_else(|| ApplyError::NoPlace(id.clone()))
    }

    /// One by its name, in which nothing that is mounted inside can be reached.
    pub(crate) fn own(&self, id: &PlaceId) -> Result<Place, ApplyError> {
        let place = self.get(id)?;
        Ok(Place {
            root: place.root.on_one_file_system(),
            durability: place.durability,
        })
    }

    /// Fails where two places are one file system: one of them is then not what it is said to be.
    pub fn are_apart(&self) -> Result<(), ApplyError> {
        let mut known: BTreeMap<u64, &PlaceId> = BTreeMap::new();
        for (id, place) in &self.places {
            let device = fstat(&place.root).map_err(failed("look at", id))?.st_dev;
            if let Some(other) = known.insert(device, id) {
                return Err(ApplyError::OneFileSystem {
                    one: other.clone(),
                    other: id.clone(),
                });
            }
        }
        Ok(())
    }

    /// The root, where the journal is.
    pub fn root(&self) -> Result<&Place, ApplyError> {
        self.get(&PlaceId::root())
    }
}

impl Place {
    /// A folder as a place: a mounted file system where it is a mount point. A folder somewhere in a file system is no
    /// root that a boot loader reads, and freezing what others use would stop them.
    pub fn at(id: &PlaceId, root: Root) -> Result<Self, ApplyError> {
        let durability = if is_mount_point(id, &root)? {
            Durability::Checkpointed
        } else {
            Durability::Synced
        };
        Ok(Self { root, durability })
    }

    /// Bytes that can be written, and none where the file system is read-only.
    pub fn free(&self, id: &PlaceId) -> Result<Option<u64>, ApplyError> {
        free_at(id, &self.root.handle("/")?)
    }
}

/// Bytes that can be written to the file system of this folder, and none where it is read-only.
pub(crate) fn free_at(id: &PlaceId, folder: &File) -> Result<Option<u64>, ApplyError> {
    let status = fstatvfs(folder).map_err(failed("ask for the free space of", id))?;
    let read_only = status.flags().contains(FsFlags::ST_RDONLY);
    let free = status
        .blocks_available()
        .saturating_mul(status.fragment_size());
    Ok((!read_only).then_some(free))
}

/// By the mount's number: the device's is another one in each subvolume of btrfs, which is none, and the same in a
/// file system that is mounted a second time.
fn is_mount_point(id: &PlaceId, root: &Root) -> Result<bool, ApplyError> {
    let folder = root.handle("/")?;
    let above = openat(
        &folder,
        "..",
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    );
    let above = above.map_err(failed("open the folder above", id))?;
    let stat = |fd: BorrowedFd<'_>| fstat(fd).map_err(failed("look at", id));
    let (own, outer) = (stat(folder.as_fd())?, stat(above.as_fd())?);
    if (own.st_dev, own.st_ino) == (outer.st_dev, outer.st_ino) {
        // Only what is `/` to us has nothing above.
        return Ok(true);
    }
    Ok(mount_number(folder.as_fd())? != mount_number(above.as_fd())?)
}

/// The number of the mount that an open file is on (Documentation/filesystems/proc.rst, 3.8).
fn mount_number(fd: BorrowedFd<'_>) -> Result<u64, ApplyError> {
    let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let unread = |reason: String| RootError::Io {
        path: (&path).into(),
        reason,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unread(error.to_string()))?;
    let number = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let number = number.and_then(|number| number.trim().parse().ok());
    Ok(number.ok_or_else(|| unread("it does not say on which mount a file is".to_owned()))?)
}

fn failed(action: &'static str, place: &PlaceId) -> impl FnOnce(Errno) -> ApplyError {
    move |errno| ApplyError::System {
        action,
        place: place.clone(),
        path: PathBuf::from("/"),
        errno,
    }
}
