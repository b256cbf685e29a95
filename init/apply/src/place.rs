use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::sys::statvfs::{FsFlags, fstatvfs};
use storage::Root;

use crate::change::PlaceId;
use crate::error::ApplyError;

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
pub struct Places(BTreeMap<PlaceId, Place>);

impl Places {
    /// Adds one.
    #[must_use]
    pub fn with(mut self, id: PlaceId, place: Place) -> Self {
        self.0.insert(id, place);
        self
    }

    /// One by its name.
    pub fn get(&self, id: &PlaceId) -> Result<&Place, ApplyError> {
        self.0
            .get(id)
            .ok_or_else(|| ApplyError::NoPlace(id.clone()))
    }

    /// The root, where the journal is.
    pub fn root(&self) -> Result<&Place, ApplyError> {
        self.get(&PlaceId::root())
    }
}

impl Place {
    /// Bytes that can be written, and none where the file system is read-only.
    pub fn free(&self, id: &PlaceId) -> Result<Option<u64>, ApplyError> {
        let folder = self.root.handle("/")?;
        let status = fstatvfs(&folder).map_err(|errno| ApplyError::System {
            action: "ask for the free space of",
            place: id.clone(),
            path: PathBuf::from("/"),
            errno,
        })?;
        let read_only = status.flags().contains(FsFlags::ST_RDONLY);
        let free = status
            .blocks_available()
            .saturating_mul(status.fragment_size());
        Ok((!read_only).then_some(free))
    }
}
