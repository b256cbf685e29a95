use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::{DataPlace, Disk, Partition, Stick};

use super::left_alone::{Busy, LeftAlone};

/// Holds every disk read-only but the one that results go to.
pub struct Guard {
    data: DataPlace,
    left_alone: LeftAlone,
    held: Mutex<Held>,
}

/// Disks that were set read-only, and whether all of each is: a node may have refused.
#[derive(Default)]
struct Held(BTreeMap<String, bool>);

impl Held {
    /// Whether all of the disk is held now and was not before.
    fn hold(&mut self, disk: &str, whole: bool) -> bool {
        let before = self.0.insert(disk.to_owned(), whole);
        whole && before != Some(true)
    }

    /// Whether any of the disk was held.
    fn release(&mut self, disk: &str) -> bool {
        self.0.remove(disk).is_some()
    }

    fn whole(&self) -> Vec<String> {
        let whole = self.0.iter().filter(|(_, whole)| **whole);
        whole.map(|(disk, _)| disk.clone()).collect()
    }
}

impl Guard {
    /// One for results that go to `data`; no disk is held yet.
    pub fn new(data: DataPlace) -> Self {
        Self {
            data,
            left_alone: LeftAlone::default(),
            held: Mutex::default(),
        }
    }

    /// Disks that are held read-only.
    pub fn held(&self) -> Vec<String> {
        self.disks().whole()
    }

    /// Keeps the flags of this disk as they are while `work` changes its partitions: [`Guard::look_after`] then passes
    /// it over, and is to be called again. Nothing is done where somebody is at the disk for longer than `patience`.
    pub fn leaving_alone<T>(
        &self,
        disk: &str,
        patience: Duration,
        work: impl FnOnce() -> T,
    ) -> Result<T, Busy> {
        self.left_alone.during(disk, patience, work)
    }

    /// Sets a disk and its partitions read-only, unless the results go there. Of a disk that a person
    /// named for the results, the other partitions are held all the same.
    pub fn look_after(&self, disk: &str, complain: &mut dyn FnMut(String)) {
        self.left_alone.unless(disk, || {
            // What was known of it may be from before its partitions were changed.
            if let Some(disk) = storage::disk_named(Path::new("/sys"), disk) {
                self.hold_or_release(&disk, complain);
            }
        });
    }

    fn hold_or_release(&self, disk: &Disk, complain: &mut dyn FnMut(String)) {
        let nodes =
            || std::iter::once(disk.node()).chain(disk.partitions.iter().map(Partition::node));
        let mut set = |node: &Path, on| {
            if let Err(error) = storage::set_read_only(node, on) {
                complain(error.to_string());
            }
        };
        if let Some(chosen) = self.chosen_on(disk) {
            // It was taken for another disk before its partitions had been seen.
            if self.disks().release(&disk.name) {
                nodes().for_each(|node| set(&node, false));
            }
            if !self.data.is_stick() {
                let others = disk.partitions.iter().map(Partition::node);
                others
                    .filter(|node| *node != chosen.partition)
                    .for_each(|node| set(&node, true));
            }
            return;
        }
        nodes().for_each(|node| set(&node, true));
        let held = nodes().all(|node| storage::is_read_only(&node).unwrap_or(false));
        if self.disks().hold(&disk.name, held) {
            tracing::info!("{} is held read-only", disk.name);
        }
        if !held {
            complain(format!("{} is NOT held read-only", disk.name));
        }
    }

    /// The partition for the results, when this disk has it and no other one could be meant.
    fn chosen_on(&self, disk: &Disk) -> Option<Stick> {
        let here = storage::stick_on(disk, &self.data).ok().flatten()?;
        match storage::find_stick(Path::new("/sys"), &self.data) {
            Err(storage::Error::NotUnique { .. } | storage::Error::TwoSticks { .. }) => None,
            _ => Some(here),
        }
    }

    fn disks(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_held_in_part_is_none_of_the_held_ones_and_is_released_all_the_same() {
        let mut held = Held::default();
        assert!(!held.hold("sda", false));
        assert!(held.hold("sdb", true) && !held.hold("sdb", true));
        assert_eq!(held.whole(), ["sdb"]);
        assert!(held.release("sda") && !held.release("sda"));
        // It is taken for another disk anew, and this time wholly.
        assert!(held.hold("sda", true));
        assert_eq!(held.whole(), ["sda", "sdb"]);
        assert!(!held.hold("sdb", false));
        assert_eq!(held.whole(), ["sda"]);
    }
}
