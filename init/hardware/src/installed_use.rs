use serde::{Deserialize, Serialize};

/// Something that an installed system, or nobody known, has on a disk of the machine: from a look at the disks,
/// which is not a part of reading the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledUse {
    /// The disk's kernel name: `nvme0n1`.
    pub disk: String,
    /// The system, by its number and release: `1, Proxmox VE 8.2.4`; none where no system names it.
    pub system: Option<String>,
    /// What it has there: `root (pve/root)`, `physical volume of pve`.
    pub what: String,
    /// Whether it is the root of the system.
    pub is_root: bool,
}
