use serde::{Deserialize, Serialize};

use crate::Reading;

/// A file system that the running system has mounted from disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is mounted: `/`, `/boot/efi`.
    pub point: String,
    /// What it was mounted from, as the kernel names it: `/dev/mapper/pve-root`, `rpool/ROOT/pve-1`.
    pub source: String,
    /// Names of the disks that hold it, as under /sys/block, through partitions, LVM, RAID and btrfs.
    /// Unknown for ZFS, whose pools do not show their disks in /sys.
    pub disks: Reading<Vec<String>>,
}
