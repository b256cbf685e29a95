use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use apply::{Durability, Place, PlaceId, Places};
use proxmox::Installation;
use storage::{
    CannotWrite, FileSystemId, HostId, Look, Purpose, RootCandidate, Storage, Trouble, Wanted,
};

use super::database::by_entries;
use super::esps;
use crate::systems::{Esp, OpenedSystem, find_esps};

/// Folders of a system that an apply may change, with those that its tools keep notes in.
const FOLDERS: [&str; 5] = [
    "/boot",
    "/etc",
    "/usr/share/kvm",
    "/var/lib/initramfs-tools",
    "/var/lib/pve-cluster",
];

/// A system in a look, with what of it may change.
pub struct Subject {
    /// It, mounted.
    pub opened: OpenedSystem,
    /// Every ESP of the machine.
    pub esps: Vec<Esp>,
    /// Where its files are.
    pub targets: Targets,
}

impl Subject {
    /// Mounts a system in a look. Fails where something of it cannot be.
    pub fn open(
        look: &mut Look,
        root: &RootCandidate,
        installation: &Installation,
    ) -> Result<Self> {
        let mut troubles = Vec::new();
        let esps = find_esps(look, &mut troubles);
        let index = index_of(look.storage(), root)?;
        let opened = OpenedSystem::open(look, index, root.clone()).map_err(cannot)?;
        if let Some(why) = opened.unread().first() {
            bail!("not all of the system could be mounted: {why}");
        }
        let named = named_esps(&opened)?;
        let is_changing = |esp: &&Esp| {
            let is_named = esp
                .partition
                .as_ref()
                .is_some_and(|own| named.contains(own));
            is_named || esps::is_of(installation, esp)
        };
        let changing: Vec<&Esp> = esps.iter().filter(is_changing).collect();
        let targets = Targets::of(look.storage(), &opened, &esps, &changing)?;
        Ok(Self {
            opened,
            esps,
            targets,
        })
    }

    /// The ESPs whose files may change.
    pub fn changing(&self) -> impl Iterator<Item = &Esp> {
        self.esps.iter().filter(|esp| {
            let ids = self.targets.others.iter().map(|(_, id, _)| id);
            ids.into_iter().any(|id| *id == esp.file_system)
        })
    }
}

/// PARTUUIDs of the ESPs that earlier changes were on.
fn named_esps(opened: &OpenedSystem) -> Result<BTreeSet<String>> {
    let places = Places::default().with(PlaceId::root(), place(opened.files.clone()));
    let mut named = BTreeSet::new();
    for receipt in apply::receipts(&places)?.into_iter().flatten() {
        named.extend(
            receipt
                .set
                .places()
                .into_iter()
                .filter_map(|place| match place {
                    PlaceId::Esp(partition) => Some(partition),
                    PlaceId::FileSystem(_) => None,
                }),
        );
    }
    Ok(named)
}

/// Where an installed system's files lie, by what stays when the look has ended.
#[derive(Clone, Debug)]
pub struct Targets {
    root: RootCandidate,
    wanted: Wanted,
    /// Beside the root: each place with its file system and the folder of it that is mounted.
    others: Vec<(PlaceId, FileSystemId, String)>,
    /// What may change, each in its place.
    pub folders: Vec<(PlaceId, String)>,
}

impl Targets {
    fn of(
        storage: &Storage,
        opened: &OpenedSystem,
        esps: &[Esp],
        changing: &[&Esp],
    ) -> Result<Self> {
        let mut mounts: Vec<(String, PlaceId)> = vec![("/".to_owned(), PlaceId::root())];
        let mut others = Vec::new();
        for join in &opened.joined {
            let esp = esps.iter().find(|esp| esp.file_system == join.file_system);
            let place = match esp {
                Some(esp) => id(esp)?,
                None => PlaceId::FileSystem(join.mount_point.clone()),
            };
            mounts.push((join.mount_point.clone(), place.clone()));
            if esp.is_none() {
                others.push((place, join.file_system.clone(), join.folder.clone()));
            }
        }
        for esp in changing {
            others.push((id(esp)?, esp.file_system.clone(), String::new()));
        }
        let mut folders: Vec<(PlaceId, String)> = Vec::new();
        for folder in FOLDERS {
            folders.extend(below(folder, &mounts));
        }
        folders.extend(
            changing
                .iter()
                .filter_map(|esp| Some((id(esp).ok()?, "/".to_owned()))),
        );
        // An ESP that only its own loader reads stays as it is.
        folders.retain(|(place, _)| {
            !place.is_fat() || others.iter().any(|(other, ..)| other == place)
        });
        folders.sort();
        folders.dedup();
        // Nothing else is opened for writing: what only lies below the root, such as its logs, stays as it is.
        others.retain(|(place, ..)| {
            let is_changing = folders.iter().any(|(changing, _)| changing == place);
            is_changing || has_receipts(place)
        });
        let all = others.iter().map(|(_, id, _)| id);
        let all = std::iter::once(&opened.root.file_system).chain(all);
        let wanted = storage.wanted(all, HostId::of(&opened.files)?)?;
        Ok(Self {
            root: opened.root.clone(),
            wanted,
            others,
            folders,
        })
    }

    /// Fails where one of its file systems stands on what lacks members, so that nothing could be written.
    pub fn are_whole(&self, storage: &Storage) -> Result<(), CannotWrite> {
        let others = self.others.iter().map(|(_, file_system, _)| file_system);
        std::iter::once(&self.root.file_system)
            .chain(others)
            .try_for_each(|file_system| storage.is_whole(file_system))
    }

    /// A look that opens them for writing, and nothing else.
    pub fn purpose(&self) -> Purpose {
        Purpose::Write(self.wanted.clone())
    }

    /// The places, mounted by this look.
    pub fn mounted(&self, look: &mut Look) -> Result<Places> {
        let root = look.open_candidate(&self.root).map_err(cannot)?;
        let mut places = Places::default().with(PlaceId::root(), place(root.clone()));
        for (id, file_system, folder) in &self.others {
            let root = look.open(file_system).map_err(cannot)?;
            let inside = if folder.is_empty() { "." } else { folder };
            let root = root
                .folder(inside)
                .with_context(|| format!("{id}: {folder}"))?;
            places = places.with(id.clone(), place(root));
        }
        Ok(places.knowing(by_entries))
    }

    /// Puts over the root what the system itself has above the folder of receipts, so that they are where it finds
    /// them when it runs.
    pub fn join(&self, look: &mut Look) -> Result<()> {
        let root = look.open_candidate(&self.root).map_err(cannot)?;
        for (id, file_system, folder) in &self.others {
            if let PlaceId::FileSystem(point) = id
                && has_receipts(id)
            {
                look.join(&root, point, file_system, folder)
                    .map_err(cannot)?;
            }
        }
        Ok(())
    }
}

/// The number of a root in a look.
fn index_of(storage: &Storage, root: &RootCandidate) -> Result<usize> {
    if let Some(index) = storage.roots.iter().position(|other| other == root) {
        return Ok(index);
    }
    let mut troubles = storage.troubles.iter();
    let its_own = troubles.find(|trouble| {
        matches!(trouble, Trouble::NotMounted { file_system, .. } if *file_system == root.file_system)
    });
    match its_own {
        Some(trouble) => bail!("{trouble}"),
        None => bail!("the system is not there any more; was a disk pulled?"),
    }
}

fn place(root: storage::Root) -> Place {
    Place {
        root,
        durability: Durability::Checkpointed,
    }
}

fn cannot(trouble: Trouble) -> anyhow::Error {
    anyhow::anyhow!("{trouble}")
}

fn id(esp: &Esp) -> Result<PlaceId> {
    match &esp.partition {
        Some(partition) => Ok(PlaceId::Esp(partition.clone())),
        None => bail!(
            "the ESP {} has no PARTUUID, so that a later start could not find it again; nothing can be changed there",
            esp.name
        ),
    }
}

/// Whether the running system has the folder of receipts below this mount point.
fn has_receipts(place: &PlaceId) -> bool {
    let PlaceId::FileSystem(point) = place else {
        return false;
    };
    apply::FOLDER
        .trim_start_matches('/')
        .strip_prefix(point.trim_matches('/'))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// A folder, and what is mounted at it or below it, each in its place.
fn below(folder: &str, mounts: &[(String, PlaceId)]) -> Vec<(PlaceId, String)> {
    let inside = |path: &str, above: &str| {
        let rest = path.strip_prefix(above.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    let at = mounts
        .iter()
        .filter_map(|(point, place)| Some((point.len(), place, inside(folder, point)?)))
        .max_by_key(|(length, ..)| *length);
    let own = at.map(|(_, place, rest)| {
        let path = if rest.is_empty() {
            "/".to_owned()
        } else {
            rest
        };
        (place.clone(), path)
    });
    let mounted = mounts
        .iter()
        .filter(|(point, _)| inside(point, folder).is_some_and(|rest| !rest.is_empty()));
    own.into_iter()
        .chain(mounted.map(|(_, place)| (place.clone(), "/".to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use storage::{FileSystem, Pool};

    use super::*;

    #[test]
    fn a_root_that_is_not_mounted_this_time_is_told_with_the_reason() {
        let root = RootCandidate {
            file_system: FileSystemId::Btrfs {
                uuid: "u".to_owned(),
            },
            subvolume: String::new(),
            name: None,
        };
        let said = |storage: &Storage| index_of(storage, &root).unwrap_err().to_string();
        let mut storage = Storage::default();
        assert!(said(&storage).contains("was a disk pulled?"));
        storage.troubles.push(Trouble::NotMounted {
            file_system: root.file_system.clone(),
            why: "its device is read-only".to_owned(),
        });
        assert!(said(&storage).contains("its device is read-only"));
        storage.roots.push(root.clone());
        assert_eq!(index_of(&storage, &root).unwrap(), 0);
    }

    #[test]
    fn a_file_system_beside_the_root_that_lacks_a_member_is_told_too() {
        let of = |pool: u64| FileSystemId::DataSet {
            pool,
            name: "pool/set".to_owned(),
        };
        let var = PlaceId::FileSystem("/var".to_owned());
        let targets = Targets {
            root: RootCandidate {
                file_system: of(1),
                subvolume: String::new(),
                name: None,
            },
            wanted: Wanted::default(),
            others: vec![(var, of(2), String::new())],
            folders: Vec::new(),
        };
        let file_system = |id: FileSystemId| FileSystem {
            id,
            kind: "zfs".to_owned(),
            uuid: None,
            label: None,
            on: Vec::new(),
            missing: 0,
        };
        let pool = |guid: u64, missing: u64| Pool {
            guid,
            missing,
            ..Pool::default()
        };
        let said = |missing: [u64; 2]| {
            let storage = Storage {
                file_systems: [1, 2].map(|pool| file_system(of(pool))).to_vec(),
                pools: vec![pool(1, missing[0]), pool(2, missing[1])],
                ..Storage::default()
            };
            let whole = targets.are_whole(&storage);
            whole
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        assert_eq!(said([0, 0]), "");
        assert!(said([1, 0]).contains("(1) lacks 1"), "{}", said([1, 0]));
        assert!(said([0, 1]).contains("(2) lacks 1"), "{}", said([0, 1]));
    }

    #[test]
    fn a_folder_is_on_the_nearest_mount_and_what_is_mounted_below_it_belongs_to_it() {
        let named = |point: &str| (point.to_owned(), PlaceId::FileSystem(point.to_owned()));
        let mounts = ["/", "/boot", "/var", "/boot/grub"].map(named);
        let words = |folder: &str| {
            let found = below(folder, &mounts).into_iter();
            found
                .map(|(place, path)| format!("{place} {path}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(words("/etc"), ["/ /etc"]);
        assert_eq!(words("/boot"), ["/boot /", "/boot/grub /"]);
        assert_eq!(words("/var/lib/pve-cluster"), ["/var /lib/pve-cluster"]);
        assert_eq!(words("/bootstrap"), ["/ /bootstrap"]);
    }

    #[test]
    fn receipts_are_on_the_file_system_that_the_running_system_has_there() {
        let at = |point: &str| has_receipts(&PlaceId::FileSystem(point.to_owned()));
        assert!(at("/var") && at("/var/lib"));
        for other in ["/var/log", "/va", "/boot"] {
            assert!(!at(other), "{other}");
        }
    }
}
