use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};
use nix::unistd::syncfs;

use crate::held::lift_read_only;
use crate::model::Trouble;
use crate::opened::{self, Opened};
use crate::overlay::{DeviceMapper, UUID_PREFIX};
use crate::raid::Mdadm;
use crate::zfs::{Zfs, give_back};

/// Nothing is stacked deeper: LUKS on LVM on RAID on partitions, each with an overlay.
const DEEPEST: usize = 16;

/// Takes away everything that looks in this folder have put up, whoever did it and however far they came:
/// mounts, pools, what stands on overlays or on what was opened for writing, the overlays, their memory, the
/// read-only flags. Goes by what is there, so it can be called at any time, more than once, and after a crash.
/// Gives what would not go.
pub fn tear_down(sys: &Path, folder: &Path) -> Vec<Trouble> {
    let mut stays = Vec::new();
    let opened = opened::opened(folder);
    let was_written = opened.as_ref().map_or(true, |opened| !opened.is_empty());
    let mut report = |what: String, why: String| {
        stays.push(match was_written {
            true => Trouble::NotClosed { what, why },
            false => Trouble::NotTakenDown { what, why },
        });
    };
    let opened = opened.unwrap_or_else(|error| {
        report("what was opened for writing".to_owned(), error.to_string());
        Vec::new()
    });
    let (memory, mounts): (Vec<_>, Vec<_>) = mounts_below(folder)
        .into_iter()
        .partition(|mount| *mount == folder.join("memory"));
    for mount in mounts.iter().rev() {
        if let Err(errno) = umount2(mount, MntFlags::UMOUNT_NOFOLLOW) {
            sync(mount);
            // Detached, it is at least out of everybody's way, and ends with its last user.
            let _ = umount2(mount, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
            report(mount.display().to_string(), errno.to_string());
        }
    }
    if Path::new("/dev/zfs").exists()
        && let Some(zfs) = Zfs::find(folder)
        && let Err(why) = zfs.export_all()
    {
        report("a ZFS pool".to_owned(), why);
    }
    if let Err(error) = give_back(sys, folder) {
        report("the host ID of ZFS".to_owned(), error.to_string());
    }
    match DeviceMapper::open() {
        Ok(mapper) => {
            let mut remover = Remover {
                sys,
                mapper,
                done: BTreeSet::new(),
                stays: &mut report,
            };
            for name in overlays(sys) {
                remover.remove(&name, DEEPEST);
            }
            for leaf in leaves(&opened) {
                remover.remove_holders(&sys.join("class/block").join(leaf), DEEPEST);
            }
        }
        Err(error) if !overlays(sys).is_empty() || was_written => {
            report("what was mapped".to_owned(), error.to_string());
        }
        Err(_) => {}
    }
    for mount in memory.iter().rev() {
        if let Err(errno) = umount2(mount, MntFlags::UMOUNT_NOFOLLOW) {
            let _ = umount2(mount, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
            report(mount.display().to_string(), errno.to_string());
        }
    }
    let held = lift_read_only(folder);
    for (what, why) in held.into_iter().chain(opened::close(folder, &opened)) {
        report(what, why);
    }
    stays
}

/// Removes a block device after all that stands on it.
struct Remover<'a> {
    sys: &'a Path,
    mapper: DeviceMapper,
    done: BTreeSet<String>,
    stays: &'a mut dyn FnMut(String, String),
}

impl Remover<'_> {
    fn remove(&mut self, name: &str, depth: usize) {
        if depth == 0 || !self.done.insert(name.to_owned()) {
            return;
        }
        let folder = self.sys.join("block").join(name);
        self.remove_holders(&folder, depth);
        // Partitions of an array have holders of their own.
        for partition in names(&folder)
            .into_iter()
            .filter(|entry| entry.starts_with(name))
        {
            self.remove_holders(&folder.join(partition), depth);
        }
        let result = if folder.join("dm").exists() {
            self.remove_mapped(&folder)
        } else if folder.join("md").exists() {
            match Mdadm::find() {
                Some(mdadm) => mdadm.stop(&Path::new("/dev").join(name)),
                None => Err("the image does not carry mdadm".to_owned()),
            }
        } else {
            Ok(())
        };
        if let Err(why) = result {
            (self.stays)(format!("/dev/{name}"), why);
        }
    }

    /// What stands on a device, which has this folder below /sys.
    fn remove_holders(&mut self, folder: &Path, depth: usize) {
        for holder in names(&folder.join("holders")) {
            self.remove(&holder, depth.saturating_sub(1));
        }
    }

    fn remove_mapped(&self, folder: &Path) -> Result<(), String> {
        let name = fs::read_to_string(folder.join("dm/name")).map_err(|error| error.to_string())?;
        let name = name.trim_end_matches('\n');
        self.mapper
            .remove(name)
            .map_err(|error| error.to_string())?;
        // Our own link, or the node that a tool made; it leads nowhere now.
        let _ = fs::remove_file(Path::new("/dev/mapper").join(name));
        // LVM gives no group a name that /dev has already, such as that of the next look's second group.
        if let Some(link) = logical_volume(name)
            && fs::read_link(&link).is_ok()
            && !link.exists()
        {
            let _ = fs::remove_file(&link);
            let _ = link.parent().map(fs::remove_dir);
        }
        Ok(())
    }
}

/// The link `/dev/GROUP/VOLUME` that LVM makes beside a mapped device: its name is both with a dash between, and
/// their own dashes twice (`dm_build_dm_name` in LVM's `libdm/libdm-string.c`).
fn logical_volume(name: &str) -> Option<PathBuf> {
    const DASH: &str = "\0";
    let name = name.replace("--", DASH);
    let (group, rest) = name.split_once('-')?;
    // A third part names what is inside of the volume, which has no link.
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['-', '/']);
    let part = |part: &str| part.replace(DASH, "-");
    let plain = is_plain(group) && is_plain(rest);
    plain.then(|| Path::new("/dev").join(part(group)).join(part(rest)))
}

/// Has what was written to a file system that does not go away sent to its devices.
fn sync(mount: &Path) {
    if let Ok(folder) = fs::File::open(mount) {
        let _ = syncfs(folder);
    }
}

/// Kernel names of the devices that were written to.
fn leaves(opened: &[Opened]) -> Vec<&OsStr> {
    let leaves = opened.iter().filter(|one| one.is_leaf);
    leaves.filter_map(|one| one.node.file_name()).collect()
}

/// Kernel names of all overlays.
fn overlays(sys: &Path) -> Vec<String> {
    let is_ours = |name: &String| {
        fs::read_to_string(sys.join("block").join(name).join("dm/uuid"))
            .is_ok_and(|uuid| uuid.starts_with(UUID_PREFIX))
    };
    names(&sys.join("block"))
        .into_iter()
        .filter(is_ours)
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Mount points below a folder, in the order in which they were mounted.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    mount_points(&text)
        .into_iter()
        .filter(|point| point.starts_with(folder))
        .collect()
}

/// The mount points in the text of /proc/self/mountinfo (proc_pid_mountinfo(5)), escapes undone.
fn mount_points(text: &[u8]) -> Vec<PathBuf> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(std::ffi::OsString::from_vec(unescaped(field))))
        .collect()
}

/// Undoes `\040` and the like.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let value = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(value.unwrap_or(*first));
        rest = match value {
            Some(_) => after.get(3..).unwrap_or_default(),
            None => after,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mount_points_are_read_with_blanks_in_them() {
        let text = b"36 35 98:0 / /run/a\\040b rw - ext4 /dev/root rw\n37 36 0:5 / /dev rw - devtmpfs x rw\n";
        let points = mount_points(text);
        assert_eq!(points, [Path::new("/run/a b"), Path::new("/dev")]);
    }

    #[test]
    fn only_mapped_devices_with_our_mark_are_ours() {
        let sys = tempfile::tempdir().unwrap();
        for (name, uuid) in [("dm-0", "LVM-abc"), ("dm-1", "PREFLIGHT-overlay-sda1")] {
            let folder = sys.path().join("block").join(name).join("dm");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("uuid"), format!("{uuid}\n")).unwrap();
        }
        fs::create_dir_all(sys.path().join("block/sda")).unwrap();
        assert_eq!(overlays(sys.path()), ["dm-1"]);
    }

    #[test]
    fn the_link_of_a_logical_volume_is_told_from_its_mapped_name() {
        let link = |name| logical_volume(name);
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(link("pve-root"), path("/dev/pve/root"));
        assert_eq!(link("pve--qQi2NT-vm--1"), path("/dev/pve-qQi2NT/vm-1"));
        for name in [
            "overlay",
            "pve-data-tpool",
            "-root",
            "pve-",
            "..-root",
            "pve-a/b",
        ] {
            assert_eq!(link(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_mount_table_is_read(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = mount_points(&text);
        }
    }
}
