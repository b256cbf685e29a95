use super::kinds::kind;
use super::{Look, root_folder};
use crate::Root;
use crate::model::{FileSystemId, RootCandidate, Trouble, VolumeId};

/// Where os-release may stand (os-release(5)).
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];
/// What a root has beside `etc/fstab` when it has no os-release.
const INIT: [&str; 3] = ["sbin/init", "usr/sbin/init", "usr/lib/systemd/systemd"];
/// Bytes; os-release of every distribution is far below.
const LONGEST: u64 = 64 << 10;
/// Subvolumes that distributions put their root in: the top level comes first.
const SUBVOLUMES: [&str; 5] = ["", "@rootfs", "@", "root", "rootfs"];

impl Look {
    /// Mounts every file system that can hold a root, and keeps those mounted that do.
    pub(super) fn find_roots(&mut self) {
        let candidates: Vec<(FileSystemId, bool)> = self
            .storage
            .file_systems
            .iter()
            .filter(|system| kind(&system.kind).is_none_or(|kind| kind.may_be_root))
            .filter(|system| self.may_be_root(&system.id))
            .map(|system| (system.id.clone(), system.kind == "btrfs"))
            .collect();
        for (id, has_subvolumes) in candidates {
            if !self.examined.insert(id.clone()) {
                continue;
            }
            match self.mount(&id) {
                Ok(root) => {
                    let places = if has_subvolumes {
                        &SUBVOLUMES[..]
                    } else {
                        &[""]
                    };
                    let found = places.iter().find_map(|place| candidate(&root, &id, place));
                    drop(root);
                    match found {
                        Some(found) => self.storage.roots.push(found),
                        None => self.unmount(&id),
                    }
                }
                Err(trouble) => self.trouble(trouble),
            }
        }
    }

    /// Data sets that are for other things are not mounted; there may be thousands.
    fn may_be_root(&self, id: &FileSystemId) -> bool {
        let FileSystemId::DataSet { pool, name } = id else {
            return true;
        };
        let pools = self.storage.pools.iter();
        pools
            .filter(|one| one.guid == *pool)
            .flat_map(|one| &one.data_sets)
            .any(|set| set.name == *name && set.may_be_root())
    }

    /// Takes back the roots that stand on overflown overlays: what was read there does not count.
    pub(super) fn drop_overflown(&mut self, overflown: &[Trouble]) {
        let bad: Vec<&VolumeId> = overflown
            .iter()
            .filter_map(|trouble| match trouble {
                Trouble::Overflow { volume, .. } | Trouble::NoOverlay { volume, .. } => {
                    Some(volume)
                }
                _ => None,
            })
            .collect();
        if bad.is_empty() {
            return;
        }
        let storage = &self.storage;
        let kept = storage
            .roots
            .iter()
            .filter(|root| {
                storage
                    .file_system(&root.file_system)
                    .is_some_and(|system| {
                        system
                            .on
                            .iter()
                            .all(|volume| !bad.iter().any(|bad| storage.stands_on(volume, bad)))
                    })
            })
            .cloned()
            .collect();
        self.storage.roots = kept;
    }
}

/// The root in a folder of a file system, if there is one.
fn candidate(root: &Root, id: &FileSystemId, subvolume: &str) -> Option<RootCandidate> {
    let root = root.folder(root_folder(subvolume)).ok()?;
    let release = OS_RELEASE
        .iter()
        .find_map(|path| root.read(path, LONGEST).ok());
    let has_init = || INIT.iter().any(|path| root.kind_of_entry(path).is_ok());
    if release.is_none() && !(root.kind("etc/fstab").is_ok() && has_init()) {
        return None;
    }
    Some(RootCandidate {
        file_system: id.clone(),
        subvolume: subvolume.to_owned(),
        name: release.and_then(|text| pretty_name(&String::from_utf8_lossy(&text))),
    })
}

/// `PRETTY_NAME`, quotes taken off.
fn pretty_name(release: &str) -> Option<String> {
    let line = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = line.trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::DiskId;

    #[test]
    fn a_root_is_known_by_its_os_release_also_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("@rootfs/usr/lib")).unwrap();
        fs::create_dir_all(folder.path().join("@rootfs/etc")).unwrap();
        let text = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        fs::write(folder.path().join("@rootfs/usr/lib/os-release"), text).unwrap();
        let link = folder.path().join("@rootfs/etc/os-release");
        symlink("/usr/lib/os-release", link).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let id = FileSystemId::On(VolumeId::Disk(DiskId("x".to_owned())));
        assert_eq!(candidate(&root, &id, ""), None);
        let found = candidate(&root, &id, "@rootfs").unwrap();
        assert_eq!(
            found.name.as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
    }

    #[test]
    fn a_data_disk_is_no_root() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/fstab"), "").unwrap();
        let root = Root::open(folder.path()).unwrap();
        let id = FileSystemId::On(VolumeId::Disk(DiskId("x".to_owned())));
        assert_eq!(candidate(&root, &id, ""), None);
    }
}
