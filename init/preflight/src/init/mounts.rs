use std::path::Path;
use std::{fs, io};

use nix::errno::Errno;
use sys_mount::{Mount, MountFlags};

/// What is mounted where before anything else.
struct Entry {
    kind: &'static str,
    target: &'static str,
    flags: MountFlags,
    data: &'static str,
    /// A machine or kernel without it still works: it is passed over in silence.
    optional: bool,
}

const STRICT: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

const TABLE: &[Entry] = &[
    Entry {
        kind: "proc",
        target: "/proc",
        flags: STRICT,
        data: "",
        optional: false,
    },
    Entry {
        kind: "sysfs",
        target: "/sys",
        flags: STRICT,
        data: "",
        optional: false,
    },
    Entry {
        kind: "devtmpfs",
        target: "/dev",
        flags: MountFlags::NOSUID,
        data: "mode=0755",
        optional: false,
    },
    Entry {
        kind: "tmpfs",
        target: "/run",
        flags: MountFlags::NOSUID.union(MountFlags::NODEV),
        data: "mode=0755",
        optional: false,
    },
    Entry {
        kind: "tmpfs",
        target: "/tmp",
        flags: MountFlags::NOSUID.union(MountFlags::NODEV),
        data: "mode=1777",
        optional: false,
    },
    Entry {
        kind: "efivarfs",
        target: "/sys/firmware/efi/efivars",
        flags: STRICT.union(MountFlags::RDONLY),
        data: "",
        optional: true,
    },
    Entry {
        kind: "securityfs",
        target: "/sys/kernel/security",
        flags: STRICT.union(MountFlags::RDONLY),
        data: "",
        optional: true,
    },
];

/// Mounts the table and says what could not be mounted.
pub fn mount_all() -> Vec<String> {
    TABLE
        .iter()
        .filter_map(|entry| mount(entry).err().map(|error| complain(entry, &error)))
        .collect()
}

fn complain(entry: &Entry, error: &io::Error) -> String {
    format!("cannot mount {} on {}: {error}", entry.kind, entry.target)
}

fn mount(entry: &Entry) -> io::Result<()> {
    let target = Path::new(entry.target);
    if entry.optional && !target.exists() {
        return Ok(());
    }
    fs::create_dir_all(target)?;
    let mounted = Mount::builder()
        .fstype(entry.kind)
        .flags(entry.flags)
        .data(entry.data)
        .mount(entry.kind, target);
    match mounted {
        Ok(_) => Ok(()),
        // A kernel with CONFIG_DEVTMPFS_MOUNT has been there first.
        Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => Ok(()),
        Err(_) if entry.optional => Ok(()),
        Err(error) => Err(error),
    }
}

/// Covers a folder with an empty one: what `preflight.test=no-firmware` does to /sys/firmware.
pub fn cover(target: &str) -> io::Result<()> {
    Mount::builder()
        .fstype("tmpfs")
        .flags(STRICT)
        .mount("tmpfs", target)
        .map(drop)
}
