use std::fmt;

use pci::Address;
use serde::{Deserialize, Serialize};
use storage::{Content, DiskFacts, FileSystemId, Storage, Volume, VolumeId};

use super::{Places, device};

/// GPT type of an EFI system partition (UEFI specification 2.10, 5.3.3), and its MBR type.
pub const ESP_TYPES: [&str; 2] = ["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef"];
/// GPT type of the partition that GRUB for BIOS puts itself into.
const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

/// What a partition, or a disk without any, is used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// The disk, by what tells it from every other one: `serial:Samsung_SSD_990_S6Z1`.
    pub disk: String,
    /// The function that the disk hangs on, when it is known.
    pub function: Option<Address>,
    /// The partition; none for a disk without any.
    pub partition: Option<u32>,
    /// What for.
    pub purpose: Purpose,
    /// The volume or data set on it that is meant: `pve/root`; none when it is the partition itself.
    pub within: Option<String>,
    /// The installed systems that use it so, counted from 1 in the order of the document.
    pub systems: Vec<usize>,
}

/// What for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The root of an installed system.
    Root,
    /// Mounted there by an installed system.
    Mounted(String),
    /// Swap space.
    Swap,
    /// An EFI system partition.
    Esp,
    /// The partition that GRUB for BIOS needs.
    BiosBoot,
    /// A physical volume of this volume group.
    PhysicalVolume(String),
    /// A member of this ZFS pool.
    PoolMember(String),
    /// A member of this MD array.
    ArrayMember(String),
    /// A LUKS volume.
    Encrypted,
    /// A file system that no installed system names, by its kind.
    FileSystem(String),
    /// The running system uses it, so it was not read.
    InUse,
    /// Nothing that is known.
    Nothing,
    /// It could not be read; why.
    Unknown(String),
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Mounted(point) => f.write_str(point),
            Self::Swap => f.write_str("swap"),
            Self::Esp => f.write_str("ESP"),
            Self::BiosBoot => f.write_str("BIOS boot partition"),
            Self::PhysicalVolume(group) => write!(f, "physical volume of {group}"),
            Self::PoolMember(pool) => write!(f, "member of pool {pool}"),
            Self::ArrayMember(array) => write!(f, "member of MD array {array}"),
            Self::Encrypted => f.write_str("encrypted (LUKS)"),
            Self::FileSystem(kind) => f.write_str(kind),
            Self::InUse => f.write_str("in use by the running system, not read"),
            Self::Nothing => f.write_str("nothing that is known"),
            Self::Unknown(why) => write!(f, "not known: {why}"),
        }
    }
}

/// What every disk is used for, disk by disk and partition by partition. `systems` are the installed systems in
/// the order of the document.
pub fn uses(storage: &Storage, systems: &[Places]) -> Vec<DiskUse> {
    let mut uses = Vec::new();
    for disk in &storage.disks {
        let volumes = storage
            .volumes
            .iter()
            .filter(|volume| volume.id.disk() == Some(&disk.id));
        let before = uses.len();
        for volume in volumes {
            of_volume(storage, systems, disk, volume, &mut uses);
        }
        if uses.len() == before {
            let in_use = storage.troubles.iter().any(
                |trouble| matches!(trouble, storage::Trouble::InUse { disk: used } if *used == disk.id),
            );
            let purpose = if in_use {
                Purpose::InUse
            } else {
                Purpose::Unknown("no part of it could be read".to_owned())
            };
            uses.push(used(disk, None, purpose));
        }
    }
    uses
}

fn used(disk: &DiskFacts, partition: Option<u32>, purpose: Purpose) -> DiskUse {
    DiskUse {
        disk: disk.id.0.clone(),
        function: disk.function,
        partition,
        purpose,
        within: None,
        systems: Vec::new(),
    }
}

fn of_volume(
    storage: &Storage,
    systems: &[Places],
    disk: &DiskFacts,
    volume: &Volume,
    uses: &mut Vec<DiskUse>,
) {
    let partition = match &volume.id {
        VolumeId::Partition { number, .. } => Some(*number),
        _ => None,
    };
    let mut own = used(disk, partition, purpose(storage, volume));
    let mut parts: Vec<DiskUse> = Vec::new();
    for (number, places) in (1..).zip(systems) {
        let names_it = |name: &str| places.stores.iter().any(|store| store == name);
        if let Purpose::PhysicalVolume(name) | Purpose::PoolMember(name) = &own.purpose
            && names_it(name)
            && is_only_one(storage, name)
        {
            own.systems.push(number);
        }
        for (purpose, on, within) in leaves(storage, places) {
            if on == volume.id && own.purpose != Purpose::Esp && within.is_none() {
                own.purpose = purpose;
                own.systems.push(number);
            } else if storage.stands_on(&on, &volume.id) {
                own.systems.push(number);
                let known = parts
                    .iter_mut()
                    .find(|part| part.purpose == purpose && part.within == within);
                match known {
                    Some(part) => part.systems.push(number),
                    None => parts.push(DiskUse {
                        within,
                        systems: vec![number],
                        ..used(disk, partition, purpose)
                    }),
                }
            }
        }
    }
    // An ESP that is mounted says both in one line.
    parts.retain(|part| own.purpose != Purpose::Esp || part.within.is_some());
    for one in std::iter::once(&mut own).chain(&mut parts) {
        one.systems.dedup();
    }
    uses.push(own);
    uses.extend(parts);
}

/// Of two groups or pools of one name, only what stands on one tells whose it is.
fn is_only_one(storage: &Storage, name: &str) -> bool {
    let groups = storage.volume_groups.iter().map(|group| &group.name);
    let pools = storage.pools.iter().map(|pool| &pool.name);
    groups.chain(pools).filter(|other| *other == name).count() < 2
}

/// What a system uses, each with the volume that it is on, and its name where that is not a partition's.
fn leaves(storage: &Storage, places: &Places) -> Vec<(Purpose, VolumeId, Option<String>)> {
    let mut leaves = Vec::new();
    let mut file_system = |purpose: Purpose, id: &FileSystemId| {
        let on = storage
            .file_system(id)
            .map(|system| system.on.as_slice())
            .unwrap_or_default();
        for volume in on {
            let within = match id {
                FileSystemId::DataSet { name, .. } => Some(name.clone()),
                _ => name(storage, volume),
            };
            leaves.push((purpose.clone(), volume.clone(), within));
        }
    };
    file_system(Purpose::Root, &places.root);
    for (point, id) in &places.mounts {
        file_system(Purpose::Mounted(point.clone()), id);
    }
    for volume in &places.swaps {
        leaves.push((Purpose::Swap, volume.clone(), name(storage, volume)));
    }
    for volume in &places.esps {
        leaves.push((Purpose::Esp, volume.clone(), None));
    }
    leaves
}

fn name(storage: &Storage, volume: &VolumeId) -> Option<String> {
    match volume {
        VolumeId::LogicalVolume { group, volume } => {
            let (group, volume) = device::names(storage, group, volume)?;
            Some(format!("{group}/{volume}"))
        }
        VolumeId::Disk(_) | VolumeId::Partition { .. } => None,
        other => Some(other.to_string()),
    }
}

/// What a partition is by what it holds.
fn purpose(storage: &Storage, volume: &Volume) -> Purpose {
    let kind = volume.partition_type.as_deref().unwrap_or_default();
    let known = match &volume.content {
        Content::Known(known) => known,
        Content::Nothing if kind == BIOS_BOOT => return Purpose::BiosBoot,
        Content::Nothing => return Purpose::Nothing,
        Content::Ambiguous => {
            return Purpose::Unknown("it has the signatures of several things".to_owned());
        }
        Content::Unknown(why) => return Purpose::Unknown(why.clone()),
    };
    let uuid = known.uuid.clone().unwrap_or_default();
    match known.kind.as_str() {
        "LVM2_member" => {
            let group = storage
                .volume_groups
                .iter()
                .find(|group| group.physical_volumes.contains(&uuid));
            Purpose::PhysicalVolume(
                group.map_or_else(|| "no volume group".to_owned(), |group| group.name.clone()),
            )
        }
        "zfs_member" => {
            let pool = uuid.parse().ok().and_then(|guid| storage.pool(guid));
            Purpose::PoolMember(
                pool.map(|pool| pool.name.clone())
                    .or_else(|| known.label.clone())
                    .unwrap_or(uuid),
            )
        }
        "linux_raid_member" => Purpose::ArrayMember(known.label.clone().unwrap_or(uuid)),
        "crypto_LUKS" => Purpose::Encrypted,
        "swap" => Purpose::Swap,
        "vfat" if ESP_TYPES.contains(&kind) => Purpose::Esp,
        other => Purpose::FileSystem(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::testing::{lvm, zfs};

    fn words(uses: &[DiskUse]) -> Vec<String> {
        let words = uses.iter().map(|used| {
            let number = used.partition.unwrap_or_default();
            let within = used.within.as_deref().unwrap_or("-");
            format!("{number} {} {within} {:?}", used.purpose, used.systems)
        });
        words.collect()
    }

    fn of(storage: &Storage, mounts: Vec<(String, FileSystemId)>, stores: &[&str]) -> Vec<String> {
        let swap = VolumeId::LogicalVolume {
            group: "pve-uuid".to_owned(),
            volume: "swap-uuid".to_owned(),
        };
        let places = Places {
            root: storage.roots[0].file_system.clone(),
            mounts,
            swaps: storage
                .volume(&swap)
                .map(|_| swap.clone())
                .into_iter()
                .collect(),
            esps: Vec::new(),
            stores: stores.iter().map(|name| (*name).to_owned()).collect(),
        };
        words(&uses(storage, &[places]))
    }

    #[test]
    fn a_disk_of_proxmox_carries_boot_partitions_and_a_physical_volume_with_root_and_swap() {
        let storage = lvm();
        let esp = storage.file_systems[1].id.clone();
        let found = of(&storage, vec![("/boot/efi".to_owned(), esp)], &["pve"]);
        assert_eq!(
            found,
            [
                "1 BIOS boot partition - []",
                "2 ESP - [1]",
                "3 physical volume of pve - [1]",
                "3 root pve/root [1]",
                "3 swap pve/swap [1]",
            ]
        );
        let function = uses(&storage, &[])[0].function;
        assert_eq!(function, Some("0000:00:1f.2".parse().unwrap()));
    }

    #[test]
    fn a_store_says_nothing_where_two_groups_have_its_name() {
        let mut storage = lvm();
        storage.volume_groups[0].physical_volumes.clear();
        let mut other = storage.volume_groups[0].clone();
        other.uuid = "other".to_owned();
        other.physical_volumes = vec!["pv-a".to_owned()];
        storage.volume_groups.push(other);
        let found = of(&storage, Vec::new(), &["pve"]);
        assert!(
            found.contains(&"3 physical volume of pve - []".to_owned()),
            "{found:?}"
        );
        storage.volume_groups.remove(0);
        let found = of(&storage, Vec::new(), &["pve"]);
        assert!(
            found.contains(&"3 physical volume of pve - [1]".to_owned()),
            "{found:?}"
        );
    }

    #[test]
    fn both_halves_of_a_mirror_carry_the_root() {
        let found = of(&zfs(), Vec::new(), &[]);
        let roots = found
            .iter()
            .filter(|line| line.contains("rpool/ROOT/pve-1"));
        assert_eq!(roots.count(), 2, "{found:?}");
        assert!(found.contains(&"3 member of pool rpool - [1]".to_owned()));
        assert!(found.contains(&"2 ESP - []".to_owned()));
    }

    #[test]
    fn a_disk_that_nobody_could_read_is_not_empty() {
        let mut storage = lvm();
        storage.volumes.clear();
        let found = uses(&storage, &[]);
        assert!(matches!(found[0].purpose, Purpose::Unknown(_)));
        storage.troubles.push(storage::Trouble::InUse {
            disk: storage.disks[0].id.clone(),
        });
        assert_eq!(uses(&storage, &[])[0].purpose, Purpose::InUse);
    }
}
