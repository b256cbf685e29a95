#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use storage::Root;
use tempfile::TempDir;

use crate::{
    Applied, ChangeSet, Collected, Durability, FileChange, Kept, Place, PlaceId, Places, ReceiptId,
    Role, Since, Snapshot, apply, collect, undo, unwatched, verify,
};

fn esp() -> PlaceId {
    PlaceId::Esp("esp".to_owned())
}

/// A root and an ESP with these files, as places.
fn places(files: &[(&str, &str)]) -> (Places, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for inside in ["root/var/lib", "esp"] {
        fs::create_dir_all(folder.path().join(inside)).unwrap();
    }
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let place = |name: &str| Place {
        root: Root::open(&folder.path().join(name)).unwrap(),
        durability: Durability::Synced,
    };
    let places = Places::default().with(PlaceId::root(), place("root"));
    (places.with(esp(), place("esp")), folder)
}

const OLD: [(&str, &str); 8] = [
    (
        "root/boot/grub/grub.cfg",
        "# settings from /etc/modules\nlinux /boot/vmlinuz-6\ninitrd /boot/initrd.img-6\n",
    ),
    ("root/boot/vmlinuz-6", "kernel"),
    ("root/boot/initrd.img-6", "old"),
    ("root/boot/config-6", "CONFIG_VFIO_PCI=m"),
    ("root/etc/modules", "old\n"),
    ("esp/EFI/proxmox/6/initrd.img-6", "old"),
    ("esp/EFI/proxmox/6/other", "other"),
    (
        "esp/loader/entries/proxmox-6.conf",
        "initrd /EFI/proxmox/6/initrd.img-6\noptions quiet\n",
    ),
];

const NEW: [(&str, &str); 9] = [
    OLD[0],
    OLD[1],
    ("root/boot/initrd.img-6", "new"),
    OLD[3],
    ("root/etc/modules", "vfio\n"),
    ("root/etc/sysfs.d/preflight.conf", "a = 1\n"),
    ("esp/EFI/proxmox/6/initrd.img-6", "new"),
    OLD[6],
    (
        "esp/loader/entries/proxmox-6.conf",
        "initrd /EFI/proxmox/6/initrd.img-6\noptions iommu=pt\n",
    ),
];

fn folders() -> [(PlaceId, String); 3] {
    let root = |path: &str| (PlaceId::root(), path.to_owned());
    [root("/boot"), root("/etc"), (esp(), "/".to_owned())]
}

fn everything() -> [(PlaceId, String); 2] {
    [PlaceId::root(), esp()].map(|place| (place, "/".to_owned()))
}

/// What differs below these folders.
fn compared(before: &Places, after: &Places, folders: &[(PlaceId, String)]) -> Collected {
    let [before, after] = [before, after].map(|places| Snapshot::take(places, folders).unwrap());
    collect(id(), &before, &after)
}

fn id() -> ReceiptId {
    "collected".to_owned().try_into().unwrap()
}

fn role(set: &ChangeSet, path: &str) -> Option<Role> {
    let mut files = set.files.iter();
    files.find(|file| file.path == path).map(|file| file.role)
}

#[test]
fn what_a_rehearsal_changed_is_found_with_its_role_and_applied() {
    let ((before, folder), (after, _made)) = (places(&OLD), places(&NEW));
    let as_they_were = Snapshot::take(&before, &everything()).unwrap();
    let collected = compared(&before, &after, &folders());
    let set = &collected.set;
    assert_eq!(role(set, "/boot/initrd.img-6"), Some(Role::Payload));
    assert_eq!(role(set, "/boot/grub/grub.cfg"), Some(Role::Selector));
    assert_eq!(
        role(set, "/EFI/proxmox/6/initrd.img-6"),
        Some(Role::Payload)
    );
    assert_eq!(role(set, "/etc/modules"), Some(Role::Plain));
    assert_eq!(role(set, "/boot/config-6"), None);
    assert_eq!(set.folders.len(), 1);
    assert_eq!(set.folders[0].path, "/etc/sysfs.d");
    assert!(collected.other.is_empty());
    let menus: Vec<_> = collected
        .menus
        .iter()
        .map(|menu| (menu.path.as_str(), menu.before.contains("quiet")))
        .collect();
    assert_eq!(menus, [("/loader/entries/proxmox-6.conf", true)]);

    let memory = tempfile::tempdir().unwrap();
    let kept = Kept::copy(set, &after, &memory.path().join("kept")).unwrap();
    let applied = apply(&before, set.clone(), &kept, &mut unwatched).unwrap();
    assert!(matches!(applied, Applied::Done(_)));
    assert_eq!(verify(&before, set).unwrap(), []);
    let again = compared(&before, &after, &folders());
    assert!(again.set.files.iter().all(FileChange::is_same), "{again:?}");

    undo(&before, &id(), Since::Refuse, &mut unwatched).unwrap();
    assert_eq!(
        Snapshot::take(&before, &everything()).unwrap(),
        as_they_were
    );
    drop(kept);
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
    drop(folder);
}

#[test]
fn a_link_that_changed_is_told_and_not_followed() {
    let ((before, old), (after, new)) = (places(&OLD), places(&OLD));
    let link = |folder: &TempDir, target: &str| {
        symlink(target, folder.path().join("root/boot/initrd.img")).unwrap();
    };
    link(&old, "initrd.img-6");
    link(&new, "/etc/modules");
    symlink("same", old.path().join("root/same")).unwrap();
    symlink("same", new.path().join("root/same")).unwrap();
    assert!(Path::new(&new.path().join("root/boot/initrd.img")).is_symlink());
    let collected = compared(&before, &after, &[(PlaceId::root(), "/".to_owned())]);
    assert_eq!(collected.other, ["/boot/initrd.img on /"]);
    assert!(collected.set.files.is_empty());
}
