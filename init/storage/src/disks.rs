use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// How a disk is attached, as far as it matters for telling the stick from the machine's own disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Somewhere below a USB host controller.
    Usb,
    /// Anything else.
    Other,
}

/// A disk of the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Kernel name: `sda`, `nvme0n1`.
    pub name: String,
    /// How it is attached.
    pub transport: Transport,
    /// Bytes; 0 for a drive without a medium.
    pub size: u64,
    /// Its partitions, by ascending number.
    pub partitions: Vec<Partition>,
}

/// A partition of a disk as the kernel numbered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Kernel name: `sda1`, `nvme0n1p1`.
    pub name: String,
    /// Number in the partition table, from 1.
    pub number: u32,
    /// First sector as the kernel has it, in units of 512 bytes.
    pub start: u64,
}

impl Disk {
    /// Its node below /dev.
    pub fn node(&self) -> PathBuf {
        node(&self.name)
    }
}

impl Partition {
    /// Its node below /dev.
    pub fn node(&self) -> PathBuf {
        node(&self.name)
    }
}

/// The kernel writes `!` for `/` in names (`cciss!c0d0`).
fn node(name: &str) -> PathBuf {
    Path::new("/dev").join(name.replace('!', "/"))
}

/// Names of block devices that are no disks: loop, RAM, device-mapper, md, floppy, optical, network.
const NO_DISKS: &[&str] = &[
    "loop", "ram", "zram", "dm-", "md", "fd", "sr", "nbd", "zd", "mtdblock",
];

/// Every disk below `sys` (normally /sys), by name.
pub fn disks(sys: &Path) -> Result<Vec<Disk>, Error> {
    let folder = sys.join("block");
    let mut found = Vec::new();
    for name in names(&folder)? {
        if let Some(disk) = disk_named(sys, &name) {
            found.push(disk);
        }
    }
    Ok(found)
}

/// One disk by its kernel name, or `None` when there is no such disk (any more).
pub fn disk_named(sys: &Path, name: &str) -> Option<Disk> {
    if NO_DISKS.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let folder = sys.join("block").join(name);
    // One path of a multipath NVMe disk: it has no node, the disk itself has.
    if read_number(&folder.join("hidden")) == Some(1) {
        return None;
    }
    let device = fs::canonicalize(&folder).ok()?;
    let transport = if is_below_usb(&device) {
        Transport::Usb
    } else {
        Transport::Other
    };
    let sectors = read_number(&folder.join("size")).unwrap_or(0);
    let mut partitions: Vec<Partition> = names(&folder)
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| entry.starts_with(name))
        .filter_map(|entry| {
            let read = |file| read_number(&folder.join(&entry).join(file));
            let (number, start) = (read("partition")?, read("start")?);
            Some(Partition {
                name: entry,
                number: u32::try_from(number).ok()?,
                start,
            })
        })
        .collect();
    partitions.sort_by_key(|partition| partition.number);
    Some(Disk {
        name: name.to_owned(),
        transport,
        size: sectors.saturating_mul(512),
        partitions,
    })
}

/// A path like `.../0000:00:14.0/usb2/2-1/2-1:1.0/host6/...`.
fn is_below_usb(device: &Path) -> bool {
    device.iter().filter_map(|part| part.to_str()).any(|part| {
        part.strip_prefix("usb")
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn disk_at(root: &Path, device: &str, name: &str, partitions: &[u32]) {
        let folder = root.join(device).join("block").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("size"), "2048\n").unwrap();
        for number in partitions {
            let partition = folder.join(format!("{name}{number}"));
            fs::create_dir_all(&partition).unwrap();
            fs::write(partition.join("partition"), format!("{number}\n")).unwrap();
            fs::write(partition.join("start"), format!("{}\n", number * 2048)).unwrap();
        }
        fs::create_dir_all(root.join("block")).unwrap();
        symlink(&folder, root.join("block").join(name)).unwrap();
    }

    #[test]
    fn a_disk_below_a_usb_host_controller_is_told_from_the_others() {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path();
        disk_at(
            sys,
            "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6",
            "sdb",
            &[2, 1],
        );
        disk_at(
            sys,
            "devices/pci0000:00/0000:00:17.0/ata1/host0",
            "sda",
            &[1],
        );
        disk_at(sys, "devices/virtual", "loop0", &[]);
        let found = disks(sys).unwrap();
        let seen: Vec<(&str, Transport, usize)> = found
            .iter()
            .map(|disk| (disk.name.as_str(), disk.transport, disk.partitions.len()))
            .collect();
        assert_eq!(
            seen,
            [("sda", Transport::Other, 1), ("sdb", Transport::Usb, 2)]
        );
        let first = &found[1].partitions[0];
        assert_eq!((first.number, first.start), (1, 2048));
        assert_eq!(found[1].size, 1 << 20);
    }

    #[test]
    fn a_missing_folder_is_named_in_the_error() {
        let error = disks(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/block"), "{error}");
    }
}
