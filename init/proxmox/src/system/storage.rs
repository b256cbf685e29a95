//! What the disks are used for.

use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::reader::Reader;

/// A line of /etc/fstab (fstab(5)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FstabLine {
    /// `UUID=...`, `/dev/pve/root`.
    pub device: String,
    /// Where; `none` for swap.
    pub mount_point: String,
    /// The file system, or `swap`.
    pub kind: String,
    /// Where it stands.
    pub place: Place,
}

/// What a partition or disk is for, as the storage below the root tells; given by whoever opened the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// By a name that stays: `nvme-Samsung_SSD_990_S6Z1`.
    pub disk: String,
    /// The function that the disk hangs on, when it is known.
    pub function: Option<pci::Address>,
    /// `root`, `ESP`, `swap`, `physical volume of pve`, `pool rpool`.
    pub purpose: String,
}

pub(crate) fn fstab(reader: &Reader) -> Vec<FstabLine> {
    let path = "/etc/fstab";
    let text = reader.text(path).known().cloned().unwrap_or_default();
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let mut words = line.split_ascii_whitespace();
        let device = words.next().filter(|word| !word.starts_with('#'))?;
        Some(FstabLine {
            device: device.to_owned(),
            mount_point: words.next()?.to_owned(),
            kind: words.next()?.to_owned(),
            place: Place::new(path, index + 1),
        })
    });
    lines.collect()
}
