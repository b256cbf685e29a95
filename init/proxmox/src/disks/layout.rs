use std::fmt;

use serde::{Deserialize, Serialize};
use storage::{FileSystemId, RootCandidate, Storage, VolumeId};

use super::device::names;

/// How the root of a system lies on the disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// What holds the file system.
    pub kind: LayoutKind,
    /// The file system: `ext4`, `xfs`, `btrfs`, `zfs`.
    pub file_system: String,
    /// The name that its owner gave it: `pve/root`, `rpool/ROOT/pve-1`; none where there is only a UUID.
    pub name: Option<String>,
    /// UUID of the volume group, GUID of the pool, UUID of the array or of the file system.
    pub uuid: Option<String>,
    /// Folder of the root in it: a btrfs subvolume.
    pub subvolume: Option<String>,
    /// It lies in an opened LUKS volume, or on one.
    pub encrypted: bool,
    /// The disks below it, by what tells them from every other one.
    pub disks: Vec<String>,
    /// Members of the group, pool, array or btrfs that are not there.
    pub missing: u64,
}

/// What holds the file system of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutKind {
    /// A partition, or a whole disk.
    Partition,
    /// An LVM logical volume.
    Lvm,
    /// A ZFS pool.
    Zfs,
    /// A btrfs, of one volume or several.
    Btrfs,
    /// An MD array.
    Array,
}

impl Layout {
    /// That of a root which a look found.
    pub fn of(storage: &Storage, root: &RootCandidate) -> Self {
        let system = storage.file_system(&root.file_system);
        let volume = system.and_then(|system| system.on.first());
        let mut layout = Self {
            kind: LayoutKind::Partition,
            file_system: system.map_or_else(|| "unknown".to_owned(), |system| system.kind.clone()),
            name: None,
            uuid: system.and_then(|system| system.uuid.clone()),
            subvolume: Some(root.subvolume.clone()).filter(|folder| !folder.is_empty()),
            encrypted: system
                .is_some_and(|system| system.on.iter().any(|volume| is_encrypted(storage, volume))),
            disks: system
                .map(|system| storage.disks_of(system))
                .unwrap_or_default()
                .into_iter()
                .map(|disk| disk.0)
                .collect(),
            missing: system.map_or(0, |system| system.missing),
        };
        match (&root.file_system, volume) {
            (FileSystemId::DataSet { pool, name }, _) => {
                layout.kind = LayoutKind::Zfs;
                layout.name = Some(name.clone());
                layout.uuid = Some(pool.to_string());
                layout.missing = storage.pool(*pool).map_or(0, |pool| pool.missing);
            }
            (FileSystemId::Btrfs { .. }, _) => layout.kind = LayoutKind::Btrfs,
            (_, Some(VolumeId::LogicalVolume { group, volume })) => {
                layout.kind = LayoutKind::Lvm;
                layout.name = names(storage, group, volume)
                    .map(|(group, volume)| format!("{group}/{volume}"));
                layout.uuid = Some(group.clone());
                layout.missing = storage.volume_group(group).map_or(0, |group| group.missing);
            }
            (
                _,
                Some(volume @ (VolumeId::Array { uuid } | VolumeId::ArrayPartition { uuid, .. })),
            ) => {
                layout.kind = LayoutKind::Array;
                layout.uuid = Some(uuid.clone());
                layout.missing = storage.array(volume).map_or(0, |array| array.missing);
            }
            _ => {}
        }
        layout
    }
}

fn is_encrypted(storage: &Storage, volume: &VolumeId) -> bool {
    let opened = |id: &VolumeId| matches!(id, VolumeId::Opened { .. });
    opened(volume)
        || storage
            .volumes
            .iter()
            .any(|below| opened(&below.id) && storage.stands_on(volume, &below.id))
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or_default();
        let file_system = &self.file_system;
        match self.kind {
            LayoutKind::Partition => write!(f, "{file_system} on a partition")?,
            LayoutKind::Lvm => write!(f, "{file_system} on LVM, {name}")?,
            LayoutKind::Zfs => write!(f, "ZFS, {name}")?,
            LayoutKind::Btrfs => write!(f, "btrfs")?,
            LayoutKind::Array => write!(f, "{file_system} on an MD array")?,
        }
        if let Some(folder) = &self.subvolume {
            write!(f, ", subvolume {folder}")?;
        }
        if self.encrypted {
            f.write_str(", encrypted")?;
        }
        match self.disks.as_slice() {
            [] => {}
            [disk] => write!(f, ", on {disk}")?,
            disks => write!(f, ", on {} disks", disks.len())?,
        }
        match self.missing {
            0 => Ok(()),
            1 => f.write_str(", one member is missing"),
            missing => write!(f, ", {missing} members are missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::testing::{lvm, zfs};

    #[test]
    fn a_root_says_in_a_line_where_it_lies() {
        let of = |storage: &Storage| Layout::of(storage, &storage.roots[0]).to_string();
        assert_eq!(of(&lvm()), "ext4 on LVM, pve/root, on serial:DISK_A111");
        assert_eq!(of(&zfs()), "ZFS, rpool/ROOT/pve-1, on 2 disks");
        let mut degraded = zfs();
        degraded.pools[0].missing = 1;
        assert!(of(&degraded).ends_with("one member is missing"));
    }
}
