use std::collections::BTreeMap;
use std::path::Path;

use super::Look;
use super::kinds::kind;
use crate::btrfs;
use crate::model::{FileSystem, FileSystemId, Signature, Trouble, Volume, VolumeId};

impl Look {
    /// Makes the list of file systems from all volumes and pools.
    pub(super) fn collect_file_systems(&mut self) {
        let mut systems = Vec::new();
        let mut several: BTreeMap<String, Vec<(VolumeId, Signature, Option<u64>)>> =
            BTreeMap::new();
        for volume in &self.storage.volumes {
            let Some(known) = volume.content.signature() else {
                continue;
            };
            match (&known.uuid, known.kind.as_str()) {
                (Some(uuid), "btrfs") => {
                    let count = self.node(&volume.id).and_then(btrfs::device_count);
                    several.entry(uuid.clone()).or_default().push((
                        volume.id.clone(),
                        known.clone(),
                        count,
                    ));
                }
                (_, name) if kind(name).is_some() => systems.push(alone(volume, known)),
                _ => {}
            }
        }
        let mut troubles = Vec::new();
        for (uuid, members) in several {
            let (system, trouble) = joined(uuid, &members);
            systems.push(system);
            troubles.extend(trouble);
        }
        systems.extend(self.data_sets());
        self.storage.file_systems = systems;
        self.trouble_all(troubles);
    }

    fn data_sets(&self) -> Vec<FileSystem> {
        let mut systems = Vec::new();
        for pool in &self.storage.pools {
            let guid = pool.guid.to_string();
            let on: Vec<VolumeId> = self
                .holding("zfs_member")
                .into_iter()
                .filter(|(volume, _)| {
                    let known = volume.content.signature();
                    known.and_then(|known| known.uuid.as_ref()) == Some(&guid)
                })
                .map(|(volume, _)| volume.id.clone())
                .collect();
            systems.extend(pool.data_sets.iter().map(|set| FileSystem {
                id: FileSystemId::DataSet {
                    pool: pool.guid,
                    name: set.name.clone(),
                },
                kind: "zfs".to_owned(),
                uuid: Some(guid.clone()),
                label: Some(set.name.clone()),
                on: on.clone(),
                missing: 0,
            }));
        }
        systems
    }

    /// Options and device to mount a file system with.
    pub(super) fn source(&self, system: &FileSystem) -> Option<(String, String)> {
        let nodes: Vec<&Path> = system.on.iter().filter_map(|id| self.node(id)).collect();
        let device = nodes.first()?.display().to_string();
        let options = if system.kind == "btrfs" {
            btrfs::options(&nodes, system.missing > 0)
        } else {
            let to_write = self.wanted().is_some();
            kind(&system.kind).map_or_else(String::new, |kind| kind.options(to_write))
        };
        Some((device, options))
    }
}

fn alone(volume: &Volume, known: &Signature) -> FileSystem {
    FileSystem {
        id: FileSystemId::On(volume.id.clone()),
        kind: known.kind.clone(),
        uuid: known.uuid.clone(),
        label: known.label.clone(),
        on: vec![volume.id.clone()],
        missing: 0,
    }
}

/// The members of one btrfs as a file system. The kernel cannot tell a copy from the original: when there
/// are two of one member, that is said, and the first is taken.
fn joined(
    uuid: String,
    members: &[(VolumeId, Signature, Option<u64>)],
) -> (FileSystem, Option<Trouble>) {
    let mut on: BTreeMap<Option<String>, VolumeId> = BTreeMap::new();
    for (volume, known, _) in members {
        on.entry(known.member.clone())
            .or_insert_with(|| volume.clone());
    }
    let whole = members.iter().filter_map(|(_, _, count)| *count).max();
    let there = u64::try_from(on.len()).unwrap_or(u64::MAX);
    let missing = whole.unwrap_or(there).saturating_sub(there);
    let what = format!("btrfs {uuid}");
    let trouble = if on.len() < members.len() {
        let why =
            "a copy of one of its members is there too, and only the first was read".to_owned();
        Some(Trouble::NotAssembled { what, why })
    } else {
        (missing > 0).then_some(Trouble::Incomplete { what, missing })
    };
    let label = members.iter().find_map(|(_, known, _)| known.label.clone());
    let system = FileSystem {
        id: FileSystemId::Btrfs { uuid: uuid.clone() },
        kind: "btrfs".to_owned(),
        uuid: Some(uuid),
        label,
        on: on.into_values().collect(),
        missing,
    };
    (system, trouble)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DiskId;

    fn member(disk: &str, member: &str, count: u64) -> (VolumeId, Signature, Option<u64>) {
        let known = Signature {
            kind: "btrfs".to_owned(),
            member: Some(member.to_owned()),
            ..Signature::default()
        };
        (VolumeId::Disk(DiskId(disk.to_owned())), known, Some(count))
    }

    #[test]
    fn a_mirror_half_that_is_not_there_is_counted() {
        let (system, trouble) = joined("u".to_owned(), &[member("a", "1", 2)]);
        assert_eq!(system.missing, 1);
        assert!(matches!(
            trouble,
            Some(Trouble::Incomplete { missing: 1, .. })
        ));
    }

    #[test]
    fn a_copy_of_a_member_is_not_given_to_the_kernel_and_is_named() {
        let members = [member("a", "1", 1), member("b", "1", 1)];
        let (system, trouble) = joined("u".to_owned(), &members);
        assert_eq!(system.on.len(), 1);
        assert!(matches!(trouble, Some(Trouble::NotAssembled { why, .. }) if why.contains("copy")));
    }
}
