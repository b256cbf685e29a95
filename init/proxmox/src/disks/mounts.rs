use std::collections::BTreeSet;

use storage::{CanMount, DataSet, DiskId, FileSystemId, Pool, RootCandidate, Storage};

use super::device;
use crate::reader::Trouble;
use crate::system::storage::FstabLine;

/// Where files may lie that are read here: a file system there is put over the root, as it is when the system
/// runs.
const READ: [&str; 11] = [
    "/boot",
    "/boot/efi",
    "/boot/grub",
    "/efi",
    "/etc",
    "/usr",
    "/var",
    "/var/lib",
    "/var/lib/libvirt",
    "/var/lib/pve-cluster",
    "/var/log",
];

/// A file system that a system mounts over its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Where.
    pub mount_point: String,
    /// Which.
    pub file_system: FileSystemId,
    /// The folder of it that is mounted: a btrfs subvolume; empty when it is the top.
    pub folder: String,
}

/// What the system whose root and lines of /etc/fstab and mount units these are mounts over its root, of what is read here: parents
/// first. What cannot be told is a trouble, for then some of its files are not known.
pub fn joins(
    storage: &Storage,
    root: &RootCandidate,
    fstab: &[FstabLine],
) -> (Vec<Join>, Vec<Trouble>) {
    let near = storage
        .file_system(&root.file_system)
        .map(|system| storage.disks_of(system))
        .unwrap_or_default();
    let mut joins: Vec<Join> = Vec::new();
    let mut troubles = Vec::new();
    for line in fstab {
        let mount_point = with_one_slash(&line.mount_point);
        if !READ.contains(&mount_point.as_str()) || line.kind == "swap" {
            continue;
        }
        let found = if line.kind == "zfs" {
            data_set(storage, root, &line.device)
                .ok_or_else(|| "no data set of that name was found".to_owned())
        } else {
            device::volume(storage, &near, &line.device).and_then(|volume| {
                let system = device::file_system(storage, volume);
                system
                    .map(|system| system.id.clone())
                    .ok_or_else(|| format!("{volume} holds no file system that can be read here"))
            })
        };
        match found {
            Ok(file_system) => joins.push(Join {
                mount_point,
                file_system,
                folder: subvolume(line),
            }),
            Err(why) => troubles.push(Trouble::Unread(format!(
                "{} puts {} on {mount_point}: {why}; what it holds is not known",
                line.place, line.device
            ))),
        }
    }
    let (named, several) = data_sets_by_mount_point(storage, root, &near, &joins);
    joins.extend(named);
    troubles.extend(several);
    joins.sort_by(|one, other| one.mount_point.cmp(&other.mount_point));
    joins.dedup_by(|one, other| one.mount_point == other.mount_point);
    (joins, troubles)
}

fn with_one_slash(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

/// `subvol=@boot` of a btrfs.
fn subvolume(line: &FstabLine) -> String {
    let option = line
        .options
        .split(',')
        .find_map(|option| option.strip_prefix("subvol="));
    let folder = option.filter(|_| line.kind == "btrfs").unwrap_or_default();
    folder.trim_matches('/').to_owned()
}

/// The data set of that name, in the pool of the root where several pools have one.
fn data_set(storage: &Storage, root: &RootCandidate, name: &str) -> Option<FileSystemId> {
    let own = own_pool(root);
    let mut pools: Vec<_> = storage
        .pools
        .iter()
        .filter(|pool| pool.data_sets.iter().any(|set| set.name == name))
        .collect();
    pools.sort_by_key(|pool| Some(pool.guid) != own);
    pools.first().map(|pool| FileSystemId::DataSet {
        pool: pool.guid,
        name: name.to_owned(),
    })
}

fn own_pool(root: &RootCandidate) -> Option<u64> {
    match &root.file_system {
        FileSystemId::DataSet { pool, .. } => Some(*pool),
        _ => None,
    }
}

/// Data sets need no line in /etc/fstab: ZFS mounts them where their property says. Those of other pools on the
/// system's own disks too, such as a bpool that GRUB can read.
fn data_sets_by_mount_point(
    storage: &Storage,
    root: &RootCandidate,
    near: &BTreeSet<DiskId>,
    named: &[Join],
) -> (Vec<Join>, Vec<Trouble>) {
    let Some(own) = own_pool(root) else {
        return (Vec::new(), Vec::new());
    };
    let mut joins = Vec::new();
    let mut troubles = Vec::new();
    for mount_point in READ {
        if named.iter().any(|join| join.mount_point == mount_point) {
            continue;
        }
        let id = |pool: &Pool, set: &DataSet| FileSystemId::DataSet {
            pool: pool.guid,
            name: set.name.clone(),
        };
        let pools = storage.pools.iter();
        let mut found: Vec<(bool, FileSystemId)> = pools
            .flat_map(|pool| pool.data_sets.iter().map(move |set| (pool, set)))
            .filter(|(_, set)| set.mountpoint == mount_point && set.canmount == CanMount::On)
            .map(|(pool, set)| (pool.guid == own, id(pool, set)))
            .filter(|(own, id)| *own || is_near(storage, near, id))
            .collect();
        // The root's own pool, and in it what lies below the root, are nearer than others.
        if found.iter().any(|(own, _)| *own) {
            found.retain(|(own, _)| *own);
        }
        if found.iter().any(|(_, id)| is_below(id, root)) {
            found.retain(|(_, id)| is_below(id, root));
        }
        match found.as_slice() {
            [] => {}
            [(_, file_system)] => joins.push(Join {
                mount_point: mount_point.to_owned(),
                file_system: file_system.clone(),
                folder: String::new(),
            }),
            several => {
                let names: Vec<String> = several.iter().map(|(_, id)| id.to_string()).collect();
                troubles.push(Trouble::Unread(format!(
                    "several data sets are for {mount_point}: {}; what it holds is not known",
                    names.join(", ")
                )));
            }
        }
    }
    (joins, troubles)
}

fn is_near(storage: &Storage, near: &BTreeSet<DiskId>, id: &FileSystemId) -> bool {
    let disks = storage
        .file_system(id)
        .map(|system| storage.disks_of(system));
    disks.is_some_and(|disks| !disks.is_disjoint(near))
}

fn is_below(id: &FileSystemId, root: &RootCandidate) -> bool {
    let (FileSystemId::DataSet { name, .. }, FileSystemId::DataSet { name: above, .. }) =
        (id, &root.file_system)
    else {
        return false;
    };
    name.strip_prefix(above.as_str())
        .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::testing::{lvm, zfs};
    use crate::system::storage::parse_fstab;

    fn of(storage: &Storage, fstab: &str) -> (Vec<String>, Vec<Trouble>) {
        let (joins, troubles) = joins(storage, &storage.roots[0], &parse_fstab(fstab));
        let words = joins
            .into_iter()
            .map(|join| format!("{} {} {}", join.mount_point, join.file_system, join.folder));
        (words.collect(), troubles)
    }

    #[test]
    fn a_boot_and_an_esp_are_put_over_the_root_and_data_is_not() {
        let fstab = "/dev/pve/root / ext4 errors=remount-ro 0 1\n\
                     UUID=1A2B-3C4D /boot/efi/ vfat defaults 0 1\n\
                     /dev/pve/swap none swap sw 0 0\n\
                     UUID=gone /mnt/data ext4 defaults 0 2\n";
        let (joins, troubles) = of(&lvm(), fstab);
        assert_eq!(joins, ["/boot/efi partition 2 of serial:DISK_A111 "]);
        assert!(troubles.is_empty());
    }

    #[test]
    fn a_boot_that_is_not_there_is_said() {
        let (joins, troubles) = of(&lvm(), "# a comment\nUUID=gone /boot ext4 defaults 0 2\n");
        assert!(joins.is_empty());
        let [Trouble::Unread(why)] = troubles.as_slice() else {
            panic!("{troubles:?}");
        };
        assert!(
            why.starts_with("/etc/fstab:2 puts UUID=gone on /boot: "),
            "{why}"
        );
    }

    #[test]
    fn data_sets_are_put_where_their_property_says() {
        let mut storage = zfs();
        storage.pools[0].data_sets[1].mountpoint = "/var/lib".to_owned();
        let (joins, _) = of(&storage, "rpool/ROOT/other /var/log zfs defaults 0 0\n");
        assert_eq!(joins, ["/var/lib data set rpool/data of pool 77 "]);
        let (joins, _) = of(&storage, "rpool/data /var zfs defaults 0 0\n");
        assert_eq!(joins[0], "/var data set rpool/data of pool 77 ");
    }

    /// The pool of a second system's boot files, on the given members.
    fn with_bpool(mut storage: Storage, guid: u64) -> Storage {
        let set = |name: &str, canmount| DataSet {
            name: name.to_owned(),
            mountpoint: "/boot".to_owned(),
            canmount,
            boots: false,
        };
        storage.pools.push(Pool {
            name: "bpool".to_owned(),
            guid,
            data_sets: vec![
                set("bpool", CanMount::Off),
                set("bpool/BOOT/debian", CanMount::On),
            ],
            ..Pool::default()
        });
        let on = storage.file_systems[0].on.clone();
        storage.file_systems.push(storage::FileSystem {
            id: FileSystemId::DataSet {
                pool: guid,
                name: "bpool/BOOT/debian".to_owned(),
            },
            on,
            ..storage.file_systems[0].clone()
        });
        storage
    }

    #[test]
    fn a_data_set_that_is_never_mounted_by_itself_hides_nothing_of_the_root() {
        for canmount in [CanMount::Off, CanMount::NoAuto] {
            let mut storage = zfs();
            storage.pools[0].data_sets[1].mountpoint = "/var".to_owned();
            storage.pools[0].data_sets[1].canmount = canmount;
            assert_eq!(of(&storage, ""), (Vec::new(), Vec::new()));
        }
    }

    #[test]
    fn a_boot_in_a_pool_of_its_own_on_the_same_disks_is_put_over_the_root() {
        let (joins, troubles) = of(&with_bpool(zfs(), 78), "");
        assert_eq!(joins, ["/boot data set bpool/BOOT/debian of pool 78 "]);
        assert!(troubles.is_empty());
        let mut elsewhere = with_bpool(zfs(), 78);
        if let Some(boot) = elsewhere.file_systems.last_mut() {
            boot.on.clear();
        }
        assert_eq!(of(&elsewhere, ""), (Vec::new(), Vec::new()));
    }

    #[test]
    fn of_two_boots_none_is_taken_and_that_is_said() {
        let (joins, troubles) = of(&with_bpool(with_bpool(zfs(), 78), 79), "");
        assert!(joins.is_empty());
        let [Trouble::Unread(why)] = troubles.as_slice() else {
            panic!("{troubles:?}");
        };
        assert!(
            why.starts_with(
                "several data sets are for /boot: data set bpool/BOOT/debian of pool 78, "
            ),
            "{why}"
        );
    }

    #[test]
    fn of_the_data_sets_of_several_systems_in_a_pool_those_below_the_root_are_taken() {
        let mut storage = zfs();
        for name in ["rpool/ROOT/old/log", "rpool/ROOT/pve-1/log"] {
            let set = DataSet {
                name: name.to_owned(),
                mountpoint: "/var/log".to_owned(),
                canmount: CanMount::On,
                boots: false,
            };
            storage.pools[0].data_sets.push(set);
        }
        let (joins, troubles) = of(&storage, "");
        assert_eq!(
            joins,
            ["/var/log data set rpool/ROOT/pve-1/log of pool 77 "]
        );
        assert!(troubles.is_empty());
    }
}
