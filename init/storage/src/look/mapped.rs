//! The kernel's mapped devices: which of them are this look's, and which are somebody else's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::overlay::UUID_PREFIX;

/// Nothing is stacked deeper.
const DEEPEST: usize = 16;

/// A device of device-mapper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    kernel_name: String,
    /// Its name in device-mapper.
    pub name: String,
    /// Its UUID in device-mapper, dashes taken out.
    pub uuid: String,
    /// It stands on overlays, or on what this look has opened for writing, and on nothing else.
    pub is_ours: bool,
}

impl Mapped {
    /// Its node: sysfs knows no other name of it than the kernel's own.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(&self.kernel_name)
    }

    /// Whether LVM made it of a volume of this group, or of a part of one: LVM puts both UUIDs into the device's
    /// own.
    pub fn is_of_group(&self, group: &str) -> bool {
        let prefix = format!("LVM-{group}").replace('-', "");
        self.uuid.starts_with(&prefix)
    }

    /// Whether it is what LVM made of this volume.
    pub fn is_volume(&self, group: &str, volume: &str) -> bool {
        self.uuid == format!("LVM-{group}{volume}").replace('-', "")
    }

    /// Whether its name is one that LVM could give to a volume of a group of this name.
    pub fn is_named_like(&self, group: &str) -> bool {
        let prefix = format!("{}-", group.replace('-', "--"));
        self.name.starts_with(&prefix)
    }
}

/// All that there are. `writable` are the kernel names of what this look has opened for writing.
pub(super) fn mapped(sys: &Path, writable: &BTreeSet<String>) -> Vec<Mapped> {
    let entries = fs::read_dir(sys.join("block"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| {
            let kernel_name = entry.file_name().into_string().ok()?;
            let uuid = fs::read_to_string(entry.path().join("dm/uuid")).ok()?;
            let name = fs::read_to_string(entry.path().join("dm/name")).unwrap_or_default();
            Some(Mapped {
                name: name.trim_end_matches('\n').to_owned(),
                uuid: uuid.trim().replace('-', ""),
                is_ours: stands_on_ours(sys, writable, &kernel_name, DEEPEST),
                kernel_name,
            })
        })
        .collect()
}

/// Whether every way down from this device ends at an overlay or a device that is written to.
fn stands_on_ours(sys: &Path, writable: &BTreeSet<String>, name: &str, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let folder = sys.join("block").join(name);
    let below: Vec<String> = fs::read_dir(folder.join("slaves"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let is_ours = |name: &String| {
        let uuid = fs::read_to_string(sys.join("block").join(name).join("dm/uuid"));
        writable.contains(name) || uuid.is_ok_and(|uuid| uuid.starts_with(UUID_PREFIX))
    };
    !below.is_empty()
        && below
            .iter()
            .all(|name| is_ours(name) || stands_on_ours(sys, writable, name, depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(sys: &Path, kernel_name: &str, name: &str, uuid: &str, below: &[&str]) {
        let folder = sys.join("block").join(kernel_name);
        fs::create_dir_all(folder.join("dm")).unwrap();
        fs::write(folder.join("dm/uuid"), format!("{uuid}\n")).unwrap();
        fs::write(folder.join("dm/name"), format!("{name}\n")).unwrap();
        for name in below {
            fs::create_dir_all(folder.join("slaves").join(name)).unwrap();
        }
    }

    fn one(sys: &Path, name: &str) -> Mapped {
        let found = mapped(sys, &BTreeSet::new())
            .into_iter()
            .find(|one| one.name == name);
        found.unwrap()
    }

    #[test]
    fn only_what_stands_on_nothing_but_overlays_is_of_this_look() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path();
        fs::create_dir_all(sys.join("block/sda")).unwrap();
        device(
            sys,
            "dm-0",
            "overlay-sda3",
            "PREFLIGHT-overlay-sda3",
            &["sda", "loop0"],
        );
        device(sys, "dm-1", "pve-root", "LVM-abc123", &["dm-0"]);
        device(sys, "dm-2", "nested", "LVM-def456", &["dm-1", "dm-0"]);
        device(sys, "dm-3", "live", "LVM-abc124", &["sda3"]);
        device(sys, "dm-4", "half", "LVM-abc125", &["dm-0", "sda3"]);
        device(sys, "dm-5", "nothing", "LVM-abc126", &[]);
        device(sys, "dm-6", "loop", "LVM-abc127", &["dm-6"]);
        let ours = |name: &str| one(sys, name).is_ours;
        assert!(ours("pve-root") && ours("nested"));
        for name in ["live", "half", "nothing", "loop"] {
            assert!(!ours(name), "{name}");
        }
    }

    #[test]
    fn to_write_what_stands_on_opened_partitions_alone_is_of_this_look() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path();
        device(sys, "dm-0", "pve-root", "LVM-abc", &["sda3", "sdb1"]);
        device(sys, "dm-1", "half", "LVM-def", &["sda3", "sdc1"]);
        let writable = ["sda3", "sdb1"].map(str::to_owned).into();
        let ours: Vec<_> = mapped(sys, &writable)
            .into_iter()
            .filter(|one| one.is_ours)
            .map(|one| one.name)
            .collect();
        assert_eq!(ours, ["pve-root"]);
    }

    #[test]
    fn a_volume_is_known_by_its_uuid_and_not_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        device(folder.path(), "dm-3", "pve-root", "LVM-abc123def456", &[]);
        let found = one(folder.path(), "pve-root");
        assert_eq!(found.node(), Path::new("/dev/dm-3"));
        assert!(found.is_volume("abc-123", "def-456") && found.is_of_group("abc-123"));
        assert!(!found.is_volume("abc-123", "def-457") && !found.is_of_group("abd-123"));
    }

    #[test]
    fn the_name_of_a_group_is_taken_when_a_device_is_named_after_it() {
        let folder = tempfile::tempdir().unwrap();
        device(folder.path(), "dm-3", "my--group-root", "LVM-abc", &[]);
        let found = one(folder.path(), "my--group-root");
        assert!(found.is_named_like("my-group"));
        assert!(!found.is_named_like("group"));
    }
}
