use std::collections::BTreeMap;

use hardware::Reading;
use storage::{DiskId, Ended, RootCandidate, Storage, Trouble};

use super::{Layout, Places, uses};
use crate::document::{DisksSeen, Found};
use crate::installation::Installation;

/// An installed system as it was read through a look.
pub struct SystemRead {
    /// Its root.
    pub root: RootCandidate,
    /// What was read.
    pub installation: Installation,
    /// What it has on the disks.
    pub places: Places,
}

/// A look that has ended; by default one that had nothing to look at.
#[derive(Default)]
pub struct LookDone {
    /// What was on the disks.
    pub storage: Storage,
    /// Overlays that had overflown when everything was read.
    pub overflown: Vec<Trouble>,
    /// Bytes that were written over the disks.
    pub written_over: u64,
    /// Kernel names of the disks.
    pub kernel_names: BTreeMap<DiskId, String>,
    /// How it ended.
    pub ended: Ended,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

impl Found {
    /// Puts together what was read. A system that was read from an overlay which did not hold is left out:
    /// nothing of it counts.
    pub fn on_disks(read: Vec<SystemRead>, done: LookDone) -> Self {
        let mut storage = done.storage;
        let whole: Vec<SystemRead> = read
            .into_iter()
            .filter(|system| !stands_on_any(&storage, system, &done.overflown))
            .collect();
        let counted = whole.iter().map(|system| &system.root);
        storage.roots = counted.cloned().collect();
        for trouble in done.overflown.into_iter().chain(done.ended.troubles) {
            if !storage.troubles.contains(&trouble) {
                storage.troubles.push(trouble);
            }
        }
        let places: Vec<Places> = whole.iter().map(|system| system.places.clone()).collect();
        let uses = uses(&storage, &places);
        let systems = (1..).zip(whole).map(|(number, system)| {
            let layout = Layout::of(&storage, &system.root);
            let mut installation = system.installation;
            let own = uses.iter().filter(|used| used.systems.contains(&number));
            installation.disk_uses = Reading::Known(own.cloned().collect());
            let mut location = layout.to_string();
            if is_one_of_several(&storage, &layout)
                && let Some(uuid) = &layout.uuid
            {
                location.push_str(&format!(" ({uuid})"));
            }
            installation.layout = Reading::Known(layout);
            (location, installation)
        });
        Self {
            systems: systems.collect(),
            look: Some(DisksSeen {
                uses,
                writes: done.ended.writes,
                written_over: done.written_over,
                kernel_names: done
                    .kernel_names
                    .into_iter()
                    .map(|(disk, name)| (disk.0, name))
                    .collect(),
                took_ms: done.took_ms,
                storage,
            }),
        }
    }
}

/// Whether another group or pool has the same name, so that the name alone does not tell which it is.
fn is_one_of_several(storage: &Storage, layout: &Layout) -> bool {
    let Some(name) = layout
        .name
        .as_deref()
        .and_then(|name| name.split('/').next())
    else {
        return false;
    };
    let groups = storage.volume_groups.iter().map(|group| &group.name);
    let pools = storage.pools.iter().map(|pool| &pool.name);
    groups.filter(|other| *other == name).count() > 1
        || pools.filter(|other| *other == name).count() > 1
}

fn stands_on_any(storage: &Storage, system: &SystemRead, overflown: &[Trouble]) -> bool {
    let mounted = system.places.mounts.iter().map(|(_, id)| id);
    let systems = std::iter::once(&system.root.file_system).chain(mounted);
    let volumes: Vec<_> = systems
        .filter_map(|id| storage.file_system(id))
        .flat_map(|system| &system.on)
        .collect();
    overflown.iter().any(|trouble| {
        let (Trouble::Overflow { volume: bad, .. } | Trouble::NoOverlay { volume: bad, .. }) =
            trouble
        else {
            return false;
        };
        volumes.iter().any(|volume| storage.stands_on(volume, bad))
    })
}

#[cfg(test)]
mod tests {
    use storage::VolumeId;

    use super::*;
    use crate::Sources;
    use crate::disks::places;
    use crate::disks::testing::lvm;
    use crate::files::MemoryFiles;

    fn found(overflown: Vec<Trouble>) -> Found {
        let storage = lvm();
        let files = MemoryFiles::new().file("etc/hostname", "pve1\n").file(
            "etc/fstab",
            "/dev/pve/root / ext4 defaults 0 1\n/dev/pve/swap none swap sw 0 0\n",
        );
        let installation = crate::look(&Sources::new(&files));
        let root = storage.roots[0].clone();
        let read = SystemRead {
            places: places(&storage, &root, &[], &installation),
            root,
            installation,
        };
        let done = LookDone {
            storage,
            overflown,
            written_over: 4096,
            kernel_names: BTreeMap::new(),
            ended: Ended::default(),
            took_ms: 1,
        };
        Found::on_disks(vec![read], done)
    }

    #[test]
    fn a_system_knows_where_it_lies_and_what_it_has_on_the_disks() {
        let found = found(Vec::new());
        let (location, installation) = &found.systems[0];
        assert_eq!(location, "ext4 on LVM, pve/root, on serial:DISK_A111");
        let uses = installation.disk_uses.known().unwrap();
        let words: Vec<String> = uses.iter().map(|used| used.purpose.to_string()).collect();
        assert_eq!(words, ["physical volume of pve", "root", "swap"]);
        let look = found.look.unwrap();
        assert!(look.uses.len() > uses.len(), "the ESP is nobody's");
    }

    #[test]
    fn nothing_counts_that_was_read_from_an_overlay_which_did_not_hold() {
        let physical = lvm().volumes[2].id.clone();
        let overflow = |volume: VolumeId| Trouble::Overflow { volume, bound: 1 };
        let found_without = found(vec![overflow(physical.clone())]);
        assert!(found_without.systems.is_empty());
        let look = found_without.look.unwrap();
        assert!(look.storage.roots.is_empty());
        assert_eq!(look.storage.troubles, [overflow(physical)]);
        let esp = lvm().volumes[1].id.clone();
        assert_eq!(found(vec![overflow(esp)]).systems.len(), 1);
    }
}
