//! A look at everything on the disks, which writes nothing to them; and with the same means, opening what was
//! chosen of it for writing ([`Purpose::Write`]).
//!
//! Every partition, and every disk without any, gets an overlay in memory. LVM, MD, ZFS, btrfs and mounts are
//! given the overlays and nothing else, so that journals and pools recover inside them. All is taken away
//! again when the look ends, also when it ends early. To write, the chosen partitions take the place of the
//! overlays, and of all others nothing is opened.

mod arrays;
mod found;
mod groups;
mod kinds;
mod luks;
mod mapped;
mod modules;
mod mounts;
mod opening;
mod options;
mod pools;
mod roots;
mod systems;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

pub use modules::MODULES;
use modules::{BASE, needed_for};
pub use options::{DiskWrites, Ended, LookOptions, Purpose};

use crate::held::hold_read_only;
use crate::lvm::Lvm;
use crate::model::{
    Content, DiskId, FileSystemId, RootCandidate, Storage, Trouble, Volume, VolumeId,
};
use crate::overlay::{DeviceMapper, Overlay, OverlayState, Store, available, bound};
use crate::raid::Mdadm;
use crate::signature::content;
use crate::writes::{Writes, writes};
use crate::zfs::Zfs;
use crate::{Error, Root, tear_down};

/// A look that is on. While it lives, file systems can be mounted and read; dropping it takes all away.
pub struct Look {
    options: LookOptions,
    mapper: DeviceMapper,
    /// None where no overlay is made.
    store: Option<Store>,
    tools: Tools,
    /// Kernel names of the disks.
    names: BTreeMap<DiskId, String>,
    /// Where each volume can be read, and written to as the purpose allows.
    nodes: BTreeMap<VolumeId, PathBuf>,
    overlays: Vec<(VolumeId, Overlay)>,
    /// Kernel names of the devices that are written to, and of what is assembled of them and is not mapped.
    writable: BTreeSet<String>,
    /// The names that volume groups have in this look, by UUID.
    group_names: BTreeMap<String, String>,
    /// The LVM members whose groups are known.
    asked_for_groups: Vec<PathBuf>,
    mounted: BTreeMap<FileSystemId, Root>,
    examined: BTreeSet<FileSystemId>,
    mounts: usize,
    before: BTreeMap<DiskId, Result<Writes, Error>>,
    storage: Storage,
    ended: bool,
    load: LoadModules,
    /// Let go when all is taken away.
    _lock: Flock<File>,
}

/// Programs that the image may carry.
struct Tools {
    lvm: Option<Lvm>,
    zfs: Option<Zfs>,
    mdadm: Option<Mdadm>,
}

/// Loads kernel modules that are not loaded yet. One that cannot be loaded is missed by what needs it.
pub type LoadModules = Box<dyn FnMut(&[&'static str])>;

/// Looks at all disks but the stick. What cannot be read is a [`Trouble`] in the result; an error means that
/// nothing could be looked at. The modules of [`MODULES`] must be loaded.
///
/// With [`Purpose::Write`] what is wanted is opened for writing; [`Look::not_there`] says what could not be brought
/// up, and is asked before anything is opened. A degraded pool is opened, with a
/// [`Trouble::Incomplete`]; a volume group, array or btrfs that lacks a member is not.
pub fn look(options: LookOptions) -> Result<Look, Error> {
    look_loading(options, Box::new(|_| {}))
}

/// The same, which has modules loaded when something on the disks needs them: some try out which of their
/// algorithms is the fastest, and that takes longer than all the rest.
pub fn look_loading(options: LookOptions, mut load: LoadModules) -> Result<Look, Error> {
    load(BASE);
    let lock = lock(&options.folder)?;
    // What an earlier look left, when its process died, would be in the way.
    tear_down(&options.sys, &options.folder);
    let folder = &options.folder;
    fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    let mapper = DeviceMapper::open()?;
    let bound = match (&options.purpose, options.bound) {
        (Purpose::Write(_), _) => None,
        (_, Some(bound)) => Some(bound),
        (_, None) => Some(free_memory()?),
    };
    let store = bound.map(|bound| Store::mount(&folder.join("memory"), bound));
    let store = store.transpose()?;
    let mut look = Look {
        tools: Tools {
            lvm: Lvm::find(folder),
            zfs: Zfs::find(folder),
            mdadm: Mdadm::find(),
        },
        mapper,
        store,
        names: BTreeMap::new(),
        nodes: BTreeMap::new(),
        overlays: Vec::new(),
        writable: BTreeSet::new(),
        group_names: BTreeMap::new(),
        asked_for_groups: Vec::new(),
        mounted: BTreeMap::new(),
        examined: BTreeSet::new(),
        mounts: 0,
        before: BTreeMap::new(),
        storage: Storage {
            overlay_bound: bound.unwrap_or(0),
            ..Storage::default()
        },
        ended: false,
        load,
        _lock: lock,
        options,
    };
    look.find_disks()?;
    look.discover();
    Ok(look)
}

/// One look at a time has this folder; a process that dies lets go of it.
fn lock(folder: &Path) -> Result<Flock<File>, Error> {
    let path = folder.with_extension("lock");
    let above = path.parent().unwrap_or(folder);
    fs::create_dir_all(above).map_err(Error::io("make", above))?;
    let file = File::create(&path).map_err(Error::io("open", &path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| Error::Busy { path })
}

fn free_memory() -> Result<u64, Error> {
    let path = Path::new("/proc/meminfo");
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    let free = available(&text).unwrap_or(0);
    bound(free).ok_or(Error::NoMemory { free })
}

impl Look {
    /// What is on the disks.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The file system mounted, for reading alone where the look is, as a root whose paths stay inside. Dropped
    /// before the look ends, or what is below it stays until then.
    pub fn open(&mut self, id: &FileSystemId) -> Result<Root, Trouble> {
        self.mount(id)
    }

    /// The root of an installed system.
    pub fn open_root(&mut self, index: usize) -> Result<Root, Trouble> {
        let Some(candidate) = self.storage.roots.get(index).cloned() else {
            return Err(Trouble::NotAssembled {
                what: format!("installed system {index}"),
                why: "there is no such system in this look".to_owned(),
            });
        };
        self.open_candidate(&candidate)
    }

    /// The root of an installed system that another look has found.
    pub fn open_candidate(&mut self, candidate: &RootCandidate) -> Result<Root, Trouble> {
        let root = self.mount(&candidate.file_system)?;
        root.folder(root_folder(&candidate.subvolume))
            .map_err(|error| Trouble::NotMounted {
                file_system: candidate.file_system.clone(),
                why: error.to_string(),
            })
    }

    /// Where a volume can be read: an overlay, or what is assembled of overlays, which can be written to without
    /// harm to a disk. To write, the device itself.
    pub fn node(&self, id: &VolumeId) -> Option<&Path> {
        self.nodes.get(id).map(PathBuf::as_path)
    }

    /// The kernel's name of a disk, which holds until the next boot.
    pub fn kernel_name(&self, disk: &DiskId) -> Option<&str> {
        self.names.get(disk).map(String::as_str)
    }

    /// Volumes whose overlay does not show the disk any more. To be asked after everything has been read:
    /// what came from such a volume does not count.
    pub fn overflown(&self) -> Vec<Trouble> {
        let states = self
            .overlays
            .iter()
            .map(|(volume, overlay)| (volume, overlay.state(&self.mapper)));
        states
            .filter_map(|(volume, state)| match state {
                OverlayState::Whole { .. } => None,
                OverlayState::Overflown => Some(Trouble::Overflow {
                    volume: volume.clone(),
                    bound: self.storage.overlay_bound,
                }),
                OverlayState::Odd(why) => Some(Trouble::NoOverlay {
                    volume: volume.clone(),
                    why: format!("its overlay reports '{why}'"),
                }),
            })
            .collect()
    }

    /// Bytes that were written over the disks so far, all of them in memory.
    pub fn written_over(&self) -> u64 {
        let states = self
            .overlays
            .iter()
            .map(|(_, overlay)| overlay.state(&self.mapper));
        states
            .map(|state| match state {
                OverlayState::Whole { written } => written,
                OverlayState::Overflown | OverlayState::Odd(_) => 0,
            })
            .sum()
    }

    /// Ends the look: unmounts, exports, removes, and counts what was written to the disks.
    pub fn end(mut self) -> Ended {
        let mut troubles = self.overflown();
        troubles.extend(self.take_away());
        let mut counted = Vec::new();
        for (disk, before) in std::mem::take(&mut self.before) {
            let name = self.names.get(&disk).map(String::as_str);
            let after = writes(&self.options.sys, name.unwrap_or_default());
            match since(before, after) {
                Ok(writes) => counted.push(DiskWrites { disk, writes }),
                Err(error) => troubles.push(Trouble::NotCounted {
                    disk,
                    why: error.to_string(),
                }),
            }
        }
        Ended {
            writes: counted,
            troubles,
        }
    }

    fn take_away(&mut self) -> Vec<Trouble> {
        self.ended = true;
        self.mounted.clear();
        tear_down(&self.options.sys, &self.options.folder)
    }

    /// Everything that can be found with what is there now. Called again when there is more, such as an
    /// opened LUKS volume.
    fn discover(&mut self) {
        while self.assemble_arrays() || self.activate_groups() {}
        self.import_pools();
        self.collect_file_systems();
        self.keep_wanted();
        if self.wanted().is_none() {
            self.find_roots();
        }
        self.note_closed();
        let overflown = self.overflown();
        self.drop_overflown(&overflown);
        self.trouble_all(overflown);
    }

    /// The place where this volume is from now on: an overlay over its device, or the device itself.
    fn cover(&mut self, id: VolumeId, origin: &Path, size: u64, partition_type: Option<String>) {
        let Some(store) = &self.store else {
            self.expose(id, origin, size, partition_type);
            return;
        };
        // The overlay first: the kernel refuses one over what somebody uses, whose flag is not ours to set. On its
        // own the flag is no barrier, but nothing has to get that far.
        let guarded = Overlay::over(origin, size, &self.mapper, store).and_then(|overlay| {
            hold_read_only(&self.options.folder, origin)?;
            Ok(overlay)
        });
        let content = match guarded {
            Ok(overlay) => {
                let content = content(overlay.node());
                self.nodes.insert(id.clone(), overlay.node().to_owned());
                self.overlays.push((id.clone(), overlay));
                content
            }
            Err(error) => {
                self.trouble(Trouble::NoOverlay {
                    volume: id.clone(),
                    why: error.to_string(),
                });
                Content::Unknown(error.to_string())
            }
        };
        self.storage.volumes.push(Volume {
            id,
            size,
            partition_type,
            partition_name: None,
            content,
        });
    }

    /// Has the modules loaded that this kind of thing needs.
    fn need(&mut self, kind: &str) {
        (self.load)(needed_for(kind));
    }

    fn trouble(&mut self, trouble: Trouble) {
        if !self.storage.troubles.contains(&trouble) {
            self.storage.troubles.push(trouble);
        }
    }

    fn trouble_all(&mut self, troubles: Vec<Trouble>) {
        for trouble in troubles {
            self.trouble(trouble);
        }
    }

    /// Volumes that hold this kind of thing and can be read, with their nodes.
    fn holding(&self, kind: &str) -> Vec<(&Volume, &Path)> {
        let volumes = self.storage.volumes.iter();
        volumes
            .filter(|volume| volume.content.is(kind))
            .filter_map(|volume| Some((volume, self.node(&volume.id)?)))
            .collect()
    }
}

/// What was written in between.
fn since(before: Result<Writes, Error>, after: Result<Writes, Error>) -> Result<Writes, Error> {
    Ok(after?.since(before?))
}

/// The folder of a root in its file system.
fn root_folder(subvolume: &str) -> &str {
    if subvolume.is_empty() { "." } else { subvolume }
}

impl Drop for Look {
    fn drop(&mut self) {
        if !self.ended {
            self.take_away();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_look_does_not_take_away_what_the_first_has_put_up() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("look");
        let first = lock(&place).unwrap();
        let error = lock(&place).unwrap_err().to_string();
        assert!(
            error.starts_with("another Preflight is at the disks"),
            "{error}"
        );
        drop(first);
        lock(&place).unwrap();
    }
}
