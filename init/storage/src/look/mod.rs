//! A look at everything on the disks, which writes nothing to them.
//!
//! Every partition, and every disk without any, gets an overlay in memory. LVM, MD, ZFS, btrfs and mounts are
//! given the overlays and nothing else, so that journals and pools recover inside them. All is taken away
//! again when the look ends, also when it ends early.

mod arrays;
mod found;
mod groups;
mod luks;
mod modules;
mod mounts;
mod pools;
mod roots;
mod systems;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub use modules::MODULES;
use modules::{BASE, needed_for};
use serde::{Deserialize, Serialize};

use crate::lvm::Lvm;
use crate::model::{Content, DiskId, FileSystemId, Storage, Trouble, Volume, VolumeId};
use crate::overlay::{DeviceMapper, Overlay, OverlayState, Store, available, bound};
use crate::raid::Mdadm;
use crate::signature::content;
use crate::writes::{Writes, writes};
use crate::zfs::Zfs;
use crate::{Error, Root, is_read_only, set_read_only, tear_down};

/// Where a look works, and what it leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookOptions {
    /// Normally /sys.
    pub sys: PathBuf,
    /// A folder of its own in memory: what is mounted below it is taken away by [`tear_down`].
    pub folder: PathBuf,
    /// Kernel name of the boot stick's disk, the only one that may be written to.
    pub stick: Option<String>,
    /// Bytes that all overlays together may fill, when it is not to be a quarter of the free memory.
    pub bound: Option<u64>,
    /// What is done with what is found.
    pub purpose: Purpose,
}

/// What is done with file systems that a look has found. Either way the disks stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// They are read.
    #[default]
    Read,
    /// They are written to as well, on the overlays, and their programs are run.
    Rehearse,
}

impl Default for LookOptions {
    fn default() -> Self {
        Self {
            sys: PathBuf::from("/sys"),
            folder: PathBuf::from("/run/preflight/look"),
            stick: None,
            bound: None,
            purpose: Purpose::default(),
        }
    }
}

/// A look that is on. While it lives, file systems can be mounted and read; dropping it takes all away.
pub struct Look {
    options: LookOptions,
    mapper: DeviceMapper,
    store: Store,
    tools: Tools,
    /// Kernel names of the disks.
    names: BTreeMap<DiskId, String>,
    /// Where each volume can be read and written without harm.
    nodes: BTreeMap<VolumeId, PathBuf>,
    overlays: Vec<(VolumeId, Overlay)>,
    /// The names that volume groups have in this look, by UUID.
    group_names: BTreeMap<String, String>,
    /// The LVM members whose groups are known.
    asked_for_groups: Vec<PathBuf>,
    mounted: BTreeMap<FileSystemId, Root>,
    examined: BTreeSet<FileSystemId>,
    mounts: usize,
    before: BTreeMap<String, Writes>,
    /// Devices that were not read-only before this look.
    set_read_only: Vec<PathBuf>,
    storage: Storage,
    ended: bool,
    load: LoadModules,
}

/// Programs that the image may carry.
struct Tools {
    lvm: Option<Lvm>,
    zfs: Option<Zfs>,
    mdadm: Option<Mdadm>,
}

/// What was written to a disk during a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskWrites {
    /// The disk.
    pub disk: DiskId,
    /// By the kernel's counters; all zero when the promise was kept.
    pub writes: Writes,
}

/// How a look ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The write counters of every disk that was looked at.
    pub writes: Vec<DiskWrites>,
    /// What did not go well at the end, and overlays that overflowed since the last check.
    pub troubles: Vec<Trouble>,
}

/// Loads kernel modules that are not loaded yet. One that cannot be loaded is missed by what needs it.
pub type LoadModules = Box<dyn FnMut(&[&'static str])>;

/// Looks at all disks but the stick. What cannot be read is a [`Trouble`] in the result; an error means that
/// nothing could be looked at. The modules of [`MODULES`] must be loaded.
pub fn look(options: LookOptions) -> Result<Look, Error> {
    look_loading(options, Box::new(|_| {}))
}

/// The same, which has modules loaded when something on the disks needs them: some try out which of their
/// algorithms is the fastest, and that takes longer than all the rest.
pub fn look_loading(options: LookOptions, mut load: LoadModules) -> Result<Look, Error> {
    load(BASE);
    // What an earlier look left, when its process died, would be in the way.
    tear_down(&options.sys, &options.folder);
    let folder = &options.folder;
    fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    let mapper = DeviceMapper::open()?;
    let bound = match options.bound {
        Some(bound) => bound,
        None => free_memory()?,
    };
    let store = Store::mount(&folder.join("memory"), bound)?;
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
        group_names: BTreeMap::new(),
        asked_for_groups: Vec::new(),
        mounted: BTreeMap::new(),
        examined: BTreeSet::new(),
        mounts: 0,
        before: BTreeMap::new(),
        set_read_only: Vec::new(),
        storage: Storage {
            overlay_bound: bound,
            ..Storage::default()
        },
        ended: false,
        load,
        options,
    };
    look.find_disks()?;
    look.discover();
    Ok(look)
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

    /// The file system mounted, for reading alone unless it is for a rehearsal, as a root whose paths stay inside. Dropped before the look
    /// ends, or the overlay below it stays until then.
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
        let root = self.mount(&candidate.file_system)?;
        root.folder(root_folder(&candidate.subvolume))
            .map_err(|error| Trouble::NotMounted {
                file_system: candidate.file_system,
                why: error.to_string(),
            })
    }

    /// Where a volume can be read, and also written without harm to a disk: an overlay, or what is assembled
    /// of overlays.
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
                    bound: self.store.bound(),
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
        let names = self.names.values().map(String::as_str);
        let writes = match writes(&self.options.sys, names) {
            Ok(after) => self.compare(&after),
            Err(error) => {
                troubles.push(Trouble::NotAssembled {
                    what: "the write counters".to_owned(),
                    why: error.to_string(),
                });
                Vec::new()
            }
        };
        Ended { writes, troubles }
    }

    fn compare(&self, after: &BTreeMap<String, Writes>) -> Vec<DiskWrites> {
        let since = |name: &String| Some(after.get(name)?.since(*self.before.get(name)?));
        self.names
            .iter()
            .filter_map(|(disk, name)| {
                Some(DiskWrites {
                    disk: disk.clone(),
                    writes: since(name)?,
                })
            })
            .collect()
    }

    fn take_away(&mut self) -> Vec<Trouble> {
        self.ended = true;
        self.mounted.clear();
        let mut troubles = tear_down(&self.options.sys, &self.options.folder);
        for node in std::mem::take(&mut self.set_read_only) {
            if let Err(error) = set_read_only(&node, false) {
                troubles.push(Trouble::NotTakenDown {
                    what: format!("the read-only flag of {}", node.display()),
                    why: error.to_string(),
                });
            }
        }
        troubles
    }

    /// Everything that can be found with what is there now. Called again when there is more, such as an
    /// opened LUKS volume.
    fn discover(&mut self) {
        while self.assemble_arrays() || self.activate_groups() {}
        self.import_pools();
        self.collect_file_systems();
        self.find_roots();
        self.note_closed();
        let overflown = self.overflown();
        self.drop_overflown(&overflown);
        self.trouble_all(overflown);
    }

    /// An overlay over a block device, as the place where this volume is from now on.
    fn cover(&mut self, id: VolumeId, origin: &Path, size: u64, partition_type: Option<String>) {
        // On its own the flag is no barrier, but nothing has to get that far.
        let guarded = self
            .hold_read_only(origin)
            .and_then(|()| Overlay::over(origin, size, &self.mapper, &self.store));
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

    fn hold_read_only(&mut self, node: &Path) -> Result<(), Error> {
        if !is_read_only(node)? {
            set_read_only(node, true)?;
            self.set_read_only.push(node.to_owned());
        }
        Ok(())
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
