use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Writes;
use crate::model::{DiskId, Trouble, Wanted};

/// Where a look works, and what it leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookOptions {
    /// Normally /sys.
    pub sys: PathBuf,
    /// A folder of its own in memory: what is mounted below it is taken away by [`crate::tear_down`].
    pub folder: PathBuf,
    /// Kernel name of the boot stick's disk, the only one that may be written to.
    pub stick: Option<String>,
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
            results: None,
            bound: None,
            purpose: Purpose::default(),
        }
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
