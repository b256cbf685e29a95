use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::disks::{Disk, disks};
use crate::model::{DiskId, Trouble, Wanted};
use crate::{Error, Writes};

/// Where a look works, and what it leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookOptions {
    /// Normally /sys.
    pub sys: PathBuf,
    /// A folder of its own in memory: what is mounted below it is taken away by [`crate::tear_down`].
    pub folder: PathBuf,
    /// Kernel name of the boot stick's disk, the only one that may be written to.
    pub stick: Option<String>,
    /// Kernel names of disks that do not answer: to open one is to wait for ever.
    pub silent: BTreeSet<String>,
    /// Node of a partition that takes the results, when it is on a disk that is looked at.
    pub results: Option<PathBuf>,
    /// Bytes that all overlays together may fill, when it is not to be a quarter of the free memory.
    pub bound: Option<u64>,
    /// What is done with what is found.
    pub purpose: Purpose,
}

/// What is done with file systems that a look has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// They are read. The disks stay as they are.
    #[default]
    Read,
    /// They are read as their system finds them at its next start: the intent log of ZFS is played back first, on the
    /// overlays, as the journals of other file systems are for every purpose. The disks stay as they are.
    Plan,
    /// They are written to as well, on the overlays, and their programs are run. The disks stay as they are.
    Rehearse,
    /// Those that are wanted are written to, on the disks. Nothing else is opened: no other partition, volume
    /// group, pool or logical volume is known to this look, and it seeks no roots.
    Write(Wanted),
}

impl Default for LookOptions {
    fn default() -> Self {
        Self {
            sys: PathBuf::from("/sys"),
            folder: PathBuf::from("/run/preflight/look"),
            stick: None,
            silent: BTreeSet::new(),
            results: None,
            bound: None,
            purpose: Purpose::default(),
        }
    }
}

impl LookOptions {
    /// Every disk that is looked at, by name: those with a medium that answer, but for the stick.
    pub fn disks(&self) -> Result<Vec<Disk>, Error> {
        let mut found = disks(&self.sys)?;
        found.retain(|disk| {
            disk.size > 0
                && self.stick.as_ref() != Some(&disk.name)
                && !self.silent.contains(&disk.name)
        });
        Ok(found)
    }
}

/// What was written to a disk during a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskWrites {
    /// The disk.
    pub disk: DiskId,
    /// By the kernel's counters; all zero when the promise was kept, but for disks that were opened for writing.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn neither_the_stick_nor_a_drive_without_a_medium_is_looked_at() {
        let sys = tempfile::tempdir().unwrap();
        for (name, sectors) in [("sda", 0), ("sdb", 2048), ("sdc", 4096), ("loop0", 8)] {
            let folder = sys.path().join("block").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("size"), format!("{sectors}\n")).unwrap();
        }
        let mut options = LookOptions {
            sys: sys.path().to_owned(),
            stick: Some("sdc".to_owned()),
            ..LookOptions::default()
        };
        let names = |options: &LookOptions| -> Vec<String> {
            let disks = options.disks().unwrap().into_iter();
            disks.map(|disk| disk.name).collect()
        };
        assert_eq!(names(&options), ["sdb"]);
        options.stick = Some("sdb".to_owned());
        assert_eq!(names(&options), ["sdc"]);
        fs::remove_dir_all(sys.path().join("block/sdc")).unwrap();
        assert!(names(&options).is_empty());
    }
}
