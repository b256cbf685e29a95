use std::collections::BTreeSet;

use super::{DiskId, FileSystemId, Storage, VolumeId};
use crate::HostId;

/// File systems that are to be opened for writing, and all that they stand on: nothing else of the disks is
/// opened. Made by [`Storage::wanted`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    file_systems: BTreeSet<FileSystemId>,
    volumes: BTreeSet<VolumeId>,
    host_id: Option<HostId>,
}

/// Why file systems cannot be opened for writing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotWrite {
    /// The disks hold no such file system.
    #[error("{0} is not on the disks; look at them again")]
    NotThere(FileSystemId),
    /// Nothing is known of what holds it.
    #[error("it is not known which partitions hold {0}; look at the disks again")]
    NothingBelow(FileSystemId),
    /// What is written to one part would not be in the others.
    #[error(
        "{what} lacks {missing} of its members, and what is written to the others would not be on it: plug in the \
         missing disks, or take them out of it on the running system"
    )]
    Incomplete {
        /// The volume group or file system.
        what: String,
        /// How many are not there.
        missing: u64,
    },
}

impl Storage {
    /// The partitions, and the disks without any, that a file system stands on: every physical volume of its
    /// group, every member of its pool, mirror or array.
    pub fn leaves(&self, id: &FileSystemId) -> Result<BTreeSet<VolumeId>, CannotWrite> {
        let leaves: BTreeSet<VolumeId> = leaves(&self.below(id)?).cloned().collect();
        if leaves.is_empty() {
            return Err(CannotWrite::NothingBelow(id.clone()));
        }
        Ok(leaves)
    }

    /// What is opened to write to these file systems. `host_id` is that of the system that they belong to, from
    /// its `/etc/hostid`; without one a pool is opened as on a host that has none.
    ///
    /// An error when one of them is not there, or is on a volume group or a btrfs without all of its members. A
    /// pool or an array says when it is opened what it lacks.
    pub fn wanted<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a FileSystemId>,
        host_id: Option<HostId>,
    ) -> Result<Wanted, CannotWrite> {
        let mut wanted = Wanted {
            host_id,
            ..Wanted::default()
        };
        for id in ids {
            self.leaves(id)?;
            wanted.volumes.extend(self.below(id)?);
            wanted.file_systems.insert(id.clone());
        }
        Ok(wanted)
    }

    /// Fails where a file system cannot be written to because of members that are not there, and knows of pools and
    /// arrays too what [`Storage::wanted`] leaves to whoever opens them.
    pub fn is_whole(&self, id: &FileSystemId) -> Result<(), CannotWrite> {
        let below = self.below(id)?;
        let mut arrays = below.iter().filter_map(|volume| self.array(volume));
        if let Some(array) = arrays.find(|array| array.missing > 0) {
            return Err(CannotWrite::Incomplete {
                what: format!("MD array {}", array.uuid),
                missing: array.missing,
            });
        }
        let FileSystemId::DataSet { pool: guid, .. } = id else {
            return Ok(());
        };
        let mut pools = self.pools.iter().filter(|pool| pool.guid == *guid);
        match pools.find(|pool| pool.missing > 0) {
            Some(pool) => Err(CannotWrite::Incomplete {
                what: format!("pool {} ({guid})", pool.name),
                missing: pool.missing,
            }),
            None => Ok(()),
        }
    }

    /// All volumes below a file system, when they are whole.
    fn below(&self, id: &FileSystemId) -> Result<BTreeSet<VolumeId>, CannotWrite> {
        let system = self
            .file_system(id)
            .ok_or_else(|| CannotWrite::NotThere(id.clone()))?;
        let incomplete = |what: String, missing: u64| CannotWrite::Incomplete { what, missing };
        if system.missing > 0 {
            return Err(incomplete(id.to_string(), system.missing));
        }
        let mut volumes = BTreeSet::new();
        for volume in &system.on {
            volumes.insert(volume.clone());
            volumes.extend(self.parts_of(volume));
        }
        for volume in &volumes {
            if let VolumeId::LogicalVolume { group, .. } = volume
                && let Some(group) = self.volume_group(group)
                && group.missing > 0
            {
                let what = format!("volume group {} ({})", group.name, group.uuid);
                return Err(incomplete(what, group.missing));
            }
        }
        Ok(volumes)
    }
}

impl Wanted {
    /// The file systems.
    pub fn file_systems(&self) -> &BTreeSet<FileSystemId> {
        &self.file_systems
    }

    /// The partitions, and the disks without any, that are opened for writing.
    pub fn leaves(&self) -> impl Iterator<Item = &VolumeId> {
        leaves(&self.volumes)
    }

    /// The disks that may be written to.
    pub fn disks(&self) -> BTreeSet<DiskId> {
        self.leaves().filter_map(VolumeId::disk).cloned().collect()
    }

    /// Whether a volume is one of them, or stands between them and a file system.
    pub(crate) fn has(&self, volume: &VolumeId) -> bool {
        self.volumes.contains(volume)
    }

    /// Whether a file system on this pool is wanted.
    pub(crate) fn has_pool(&self, guid: u64) -> bool {
        let mut ids = self.file_systems.iter();
        ids.any(|id| matches!(id, FileSystemId::DataSet { pool, .. } if *pool == guid))
    }

    /// Host ID of the system that is written to.
    pub(crate) fn host_id(&self) -> Option<HostId> {
        self.host_id
    }
}

fn leaves(volumes: &BTreeSet<VolumeId>) -> impl Iterator<Item = &VolumeId> {
    volumes.iter().filter(|volume| volume.disk().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lvm::VolumeGroup;
    use crate::model::{Content, FileSystem, Signature, Volume};
    use crate::{Array, Pool};

    fn partition(disk: &str, number: u32) -> VolumeId {
        VolumeId::Partition {
            disk: DiskId(disk.to_owned()),
            number,
            partuuid: None,
        }
    }

    fn logical(volume: &str) -> VolumeId {
        VolumeId::LogicalVolume {
            group: "g".to_owned(),
            volume: volume.to_owned(),
        }
    }

    fn holds(id: VolumeId, kind: &str, uuid: &str) -> Volume {
        Volume {
            id,
            size: 1 << 30,
            partition_type: None,
            partition_name: None,
            content: Content::Known(Signature {
                kind: kind.to_owned(),
                uuid: Some(uuid.to_owned()),
                ..Signature::default()
            }),
        }
    }

    fn file_system(id: FileSystemId, on: &[VolumeId]) -> FileSystem {
        FileSystem {
            id,
            kind: "ext4".to_owned(),
            uuid: None,
            label: None,
            on: on.to_vec(),
            missing: 0,
        }
    }

    /// A root on a group of two disks, an ESP, a mirrored btrfs, and another disk.
    fn storage() -> Storage {
        let mirror = FileSystemId::Btrfs {
            uuid: "b".to_owned(),
        };
        Storage {
            volumes: vec![
                holds(partition("a", 1), "vfat", "E"),
                holds(partition("a", 2), "LVM2_member", "p1"),
                holds(partition("b", 1), "LVM2_member", "p2"),
                holds(partition("c", 1), "ext4", "other"),
            ],
            volume_groups: vec![VolumeGroup {
                uuid: "g".to_owned(),
                name: "pve".to_owned(),
                system_id: None,
                exported: false,
                missing: 0,
                physical_volumes: vec!["p1".to_owned(), "p2".to_owned()],
                logical_volumes: Vec::new(),
            }],
            file_systems: vec![
                file_system(FileSystemId::On(logical("root")), &[logical("root")]),
                file_system(FileSystemId::On(partition("a", 1)), &[partition("a", 1)]),
                file_system(FileSystemId::On(partition("c", 1)), &[partition("c", 1)]),
                file_system(mirror, &[partition("a", 3), partition("b", 3)]),
            ],
            ..Storage::default()
        }
    }

    #[test]
    fn a_root_on_lvm_stands_on_every_physical_volume_of_its_group() {
        let root = FileSystemId::On(logical("root"));
        let leaves = storage().leaves(&root).unwrap();
        assert_eq!(
            leaves,
            BTreeSet::from([partition("a", 2), partition("b", 1)])
        );
    }

    #[test]
    fn what_is_not_wanted_is_not_among_what_is_opened() {
        let (root, esp) = (
            FileSystemId::On(logical("root")),
            FileSystemId::On(partition("a", 1)),
        );
        let wanted = storage().wanted([&root, &esp], None).unwrap();
        assert_eq!(
            wanted.leaves().cloned().collect::<Vec<_>>(),
            [partition("a", 1), partition("a", 2), partition("b", 1)]
        );
        let disks = ["a", "b"].map(|name| DiskId(name.to_owned()));
        assert_eq!(wanted.disks(), BTreeSet::from(disks));
        assert!(wanted.has(&logical("root")) && wanted.has(&partition("b", 1)));
        assert!(!wanted.has(&logical("data")) && !wanted.has(&partition("c", 1)));
    }

    #[test]
    fn what_lacks_a_member_is_not_written_to() {
        let mut storage = storage();
        let root = FileSystemId::On(logical("root"));
        storage.volume_groups[0].missing = 1;
        let error = storage.wanted([&root], None).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("volume group pve (g) lacks 1"),
            "{error}"
        );
        let mirror = FileSystemId::Btrfs {
            uuid: "b".to_owned(),
        };
        assert!(storage.wanted([&mirror], None).is_ok());
        storage.file_systems[3].missing = 1;
        let error = storage.wanted([&mirror], None).unwrap_err();
        assert!(matches!(error, CannotWrite::Incomplete { missing: 1, .. }));
        assert_eq!(storage.is_whole(&mirror), Err(error));
    }

    #[test]
    fn a_pool_that_lacks_a_member_is_told_before_it_is_opened() {
        let mut storage = storage();
        let set = FileSystemId::DataSet {
            pool: 7,
            name: "rpool/ROOT/pve-1".to_owned(),
        };
        let on = [partition("a", 3), partition("b", 3)];
        storage.file_systems.push(file_system(set.clone(), &on));
        storage.pools.push(Pool {
            name: "rpool".to_owned(),
            guid: 7,
            ..Pool::default()
        });
        assert_eq!(storage.is_whole(&set), Ok(()));
        storage.pools[0].missing = 1;
        let error = storage.is_whole(&set).unwrap_err().to_string();
        assert!(error.starts_with("pool rpool (7) lacks 1"), "{error}");
    }

    #[test]
    fn an_array_that_lacks_a_member_is_told_also_below_a_volume_group() {
        let mut storage = storage();
        let uuid = "m".to_owned();
        let array = VolumeId::Array { uuid: uuid.clone() };
        storage.volumes[2].id = array.clone();
        storage
            .volumes
            .push(holds(partition("b", 1), "linux_raid_member", "m"));
        storage.arrays.push(Array {
            uuid,
            name: None,
            members: vec![partition("b", 1)],
            assembled: true,
            missing: 0,
        });
        let root = FileSystemId::On(logical("root"));
        assert_eq!(storage.is_whole(&root), Ok(()));
        storage.arrays[0].missing = 1;
        let error = storage.is_whole(&root).unwrap_err().to_string();
        assert!(error.starts_with("MD array m lacks 1"), "{error}");
        let esp = FileSystemId::On(partition("a", 1));
        assert_eq!(storage.is_whole(&esp), Ok(()));
    }

    #[test]
    fn a_file_system_that_was_not_found_is_not_wanted_for_writing() {
        let gone = FileSystemId::On(partition("d", 1));
        let error = storage().wanted([&gone], None).unwrap_err();
        assert_eq!(error, CannotWrite::NotThere(gone));
        let mut storage = storage();
        storage.volumes.clear();
        let root = FileSystemId::On(logical("root"));
        assert_eq!(
            storage.leaves(&root),
            Err(CannotWrite::NothingBelow(root.clone()))
        );
    }

    #[test]
    fn a_pool_is_wanted_when_one_of_its_data_sets_is() {
        let set = FileSystemId::DataSet {
            pool: 7,
            name: "rpool/ROOT/pve-1".to_owned(),
        };
        let mut storage = storage();
        storage
            .file_systems
            .push(file_system(set.clone(), &[partition("a", 4)]));
        let wanted = storage.wanted([&set], None).unwrap();
        assert!(wanted.has_pool(7) && !wanted.has_pool(8));
    }
}
