//! What a program finds around it: mounts that only it sees.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde::{Deserialize, Serialize};
use storage::{Kind, Root};

use crate::Error;
use crate::devices::is_below;

/// A block device that a program may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its paths below /dev, as the system knows it; the first is the node, the others are links.
    pub names: Vec<PathBuf>,
    /// The kernel's major number.
    pub major: u64,
    /// The kernel's minor number.
    pub minor: u64,
}

/// Character devices that programs take for granted (Documentation/admin-guide/devices.txt).
const CHARACTERS: [(&str, u64, u64); 5] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
];
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Folders that get an empty file system in memory, with what it may hold at most: what lies there is of the moment.
/// Initrds are made in the last one. Together with the overlays it stays below all memory.
const EMPTY: [(&str, &str); 3] = [
    ("run", "mode=755,size=5%"),
    ("tmp", "mode=1777,size=10%"),
    ("var/tmp", "mode=1777,size=40%"),
];
/// Hooks that carry what was made to real ESPs. That is done by the writer of the disks alone.
const HOOKS: [&str; 2] = ["etc/initramfs/post-update.d", "etc/kernel/postinst.d"];

/// Mounts everything over this root, in the mount namespace of the caller.
pub(crate) fn mount_all(root: &Root, devices: &[Device]) -> Result<(), Error> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, private, nothing)
        .map_err(Error::errno("make private", Path::new("/")))?;
    for (folder, options) in EMPTY {
        // A system without one of these works without it too.
        if root.kind(folder) == Ok(Kind::Folder) {
            over(root, folder, "tmpfs", MsFlags::MS_NODEV, options)?;
        }
    }
    for folder in HOOKS {
        if root.kind(folder) == Ok(Kind::Folder) {
            over(root, folder, "tmpfs", MsFlags::MS_NODEV, "mode=755")?;
        }
    }
    over(root, "sys", "sysfs", MsFlags::MS_RDONLY, "")?;
    over(root, "dev", "tmpfs", MsFlags::MS_NOEXEC, "mode=755,size=1m")?;
    fill_devices(root, devices)
}

fn over(root: &Root, folder: &str, kind: &str, flags: MsFlags, options: &str) -> Result<(), Error> {
    let place = root.folder(folder)?;
    // By its descriptor: a link that stands there now leads to where it led when it was opened, inside.
    let path = format!("/proc/self/fd/{}", place.as_fd().as_raw_fd());
    mount(
        Some(kind),
        path.as_str(),
        Some(kind),
        flags | MsFlags::MS_NOSUID,
        Some(options),
    )
    .map_err(Error::errno("mount over", Path::new(folder)))
}

fn fill_devices(root: &Root, devices: &[Device]) -> Result<(), Error> {
    // Opened again: the folder that was mounted over is still what its old descriptor shows.
    let folder = root.folder("dev")?;
    let base = PathBuf::from(format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd()));
    let mode = Mode::from_bits_truncate(0o666);
    for (name, major, minor) in CHARACTERS {
        let path = base.join(name);
        mknod(&path, SFlag::S_IFCHR, mode, makedev(major, minor))
            .map_err(Error::errno("make the device", Path::new(name)))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))
            .map_err(Error::io("open up the device", Path::new(name)))?;
    }
    for (name, target) in LINKS {
        symlink(target, base.join(name)).map_err(Error::io("link", Path::new(name)))?;
    }
    let shared = base.join("shm");
    fs::create_dir(&shared).map_err(Error::io("make", Path::new("shm")))?;
    devices.iter().try_for_each(|device| add(&base, device))
}

fn add(base: &Path, device: &Device) -> Result<(), Error> {
    let mode = Mode::from_bits_truncate(0o600);
    // Names come from disks. One that leads elsewhere, or that another device has already, is passed over.
    let is_free = |name: &&PathBuf| is_below(name) && base.join(name).symlink_metadata().is_err();
    let mut names = device.names.iter().filter(is_free);
    let Some(node) = names.next() else {
        return Ok(());
    };
    mknod(
        &made(base, node)?,
        SFlag::S_IFBLK,
        mode,
        makedev(device.major, device.minor),
    )
    .map_err(Error::errno("make the device", node))?;
    for link in names {
        let target = Path::new("/dev").join(node);
        symlink(target, made(base, link)?).map_err(Error::io("link", link))?;
    }
    Ok(())
}

/// The path of a name below the new /dev, its folder made.
fn made(base: &Path, name: &Path) -> Result<PathBuf, Error> {
    let path = base.join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    }
    Ok(path)
}
