//! The disks and their partitions, each with its overlay.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Look;
use nix::libc;
use pci::Address;

use crate::disks::{Disk, Transport};
use crate::model::{Claims, Content, DiskFacts, DiskId, Trouble, Volume, VolumeId, identities};
use crate::writes::writes;
use crate::{Error, partition_table};

/// Bytes at the start of two disks that must agree before they pass for one.
const COMPARED: usize = 64 << 10;
/// An extended partition of an MBR is two sectors that say where others are.
const SMALLEST: u64 = 64 << 10;

impl Look {
    /// Puts an overlay over every partition and over every disk that has none; or opens those that are wanted.
    pub(super) fn find_disks(&mut self) -> Result<(), Error> {
        let sys = self.options.sys.clone();
        let disks = self.options.disks()?.into_iter();
        let found: Vec<(Disk, Claims)> = disks
            .map(|disk| {
                let claims = claims(&sys, &disk.name);
                (disk, claims)
            })
            .collect();
        let (found, other_paths) = without_other_paths(found);
        for claims in other_paths {
            let disk = DiskId(format!("wwn:{}", claims.wwn.unwrap_or_default()));
            self.trouble(Trouble::OtherPath { disk });
        }
        let claims: Vec<Claims> = found.iter().map(|(_, claims)| claims.clone()).collect();
        for ((disk, claims), id) in found.into_iter().zip(identities(&claims)) {
            self.storage.disks.push(DiskFacts {
                id: id.clone(),
                model: claims.model,
                serial: claims.serial,
                wwn: claims.wwn,
                size: disk.size,
                usb: disk.transport == Transport::Usb,
                function: controller(&sys, &disk.name),
            });
            self.names.insert(id.clone(), disk.name.clone());
            self.before.insert(id.clone(), writes(&sys, &disk.name));
            if in_use(&sys, &disk) {
                self.trouble(Trouble::InUse { disk: id });
            } else {
                self.cover_disk(&disk, &id);
            }
        }
        Ok(())
    }

    fn cover_disk(&mut self, disk: &Disk, id: &DiskId) {
        if disk.partitions.is_empty() {
            self.cover(VolumeId::Disk(id.clone()), &disk.node(), disk.size, None);
            return;
        }
        self.lift_disk(id, &disk.node());
        let table = match partition_table(&disk.node()) {
            Ok(table) => table,
            Err(error) => {
                self.trouble(Trouble::NotAssembled {
                    what: format!("the partition table of {id}"),
                    why: error.to_string(),
                });
                Vec::new()
            }
        };
        for partition in &disk.partitions {
            let folder = self.options.sys.join("block").join(&disk.name);
            let size = number(&folder.join(&partition.name).join("size")).saturating_mul(512);
            if size < SMALLEST {
                continue;
            }
            let node = partition.node();
            let entry = table.iter().find(|entry| entry.number == partition.number);
            let volume = VolumeId::Partition {
                disk: id.clone(),
                number: partition.number,
                partuuid: entry.and_then(|entry| entry.uuid.clone()),
            };
            let kind = entry.map(|entry| entry.kind.clone());
            let name = entry.and_then(|entry| entry.name.clone());
            if self.options.results.as_ref() == Some(&node) {
                let why = "it is left alone: results are saved to it".to_owned();
                self.storage.volumes.push(Volume {
                    id: volume,
                    size,
                    partition_type: kind,
                    partition_name: name,
                    content: Content::Unknown(why),
                });
                continue;
            }
            self.cover(volume.clone(), &node, size, kind);
            let mut volumes = self.storage.volumes.iter_mut();
            if let Some(covered) = volumes.rfind(|covered| covered.id == volume) {
                covered.partition_name = name;
            }
        }
    }
}

/// The PCI function nearest to a disk in the tree of devices. A disk with several paths is a device of its own
/// there, and its subsystem has a link to each of its controllers.
fn controller(sys: &Path, name: &str) -> Option<Address> {
    let nearest = |path: PathBuf| -> Option<Address> {
        let path = fs::canonicalize(path).ok()?;
        let mut names = path.components().rev();
        names.find_map(|part| part.as_os_str().to_str()?.parse().ok())
    };
    let device = sys.join("block").join(name);
    nearest(device.clone()).or_else(|| {
        let subsystem = fs::canonicalize(device).ok()?;
        let entries = fs::read_dir(subsystem.parent()?).ok()?.flatten();
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.join("transport").exists())
            .collect();
        paths.sort();
        paths.into_iter().find_map(nearest)
    })
}

/// What a disk says of itself.
fn claims(sys: &Path, name: &str) -> Claims {
    let folder = sys.join("block").join(name);
    let text = |path: &str| {
        let text = fs::read_to_string(folder.join(path)).ok()?;
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let device = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
    Claims {
        wwn: text("wwid")
            .or_else(|| text("device/wwid"))
            .map(|wwn| one_blank(&wwn)),
        model: text("device/model").map(|model| one_blank(&model)),
        serial: text("serial")
            .or_else(|| text("device/serial"))
            .or_else(|| page_80(&folder.join("device/vpd_pg80"))),
        path: device
            .strip_prefix(sys)
            .unwrap_or(&device)
            .display()
            .to_string(),
    }
}

/// The serial number in SCSI's vital product data page 80h (SPC-4, 7.8.17): behind four bytes of header.
fn page_80(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(bytes.get(4..)?)
        .trim_matches(['\0', ' '])
        .to_owned();
    (!text.is_empty()).then_some(text)
}

fn one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Disks that are the same one over another path: same world-wide name, same size, same first bytes. Only
/// that all three agree counts, for there are USB cases that give every disk one name.
fn without_other_paths(found: Vec<(Disk, Claims)>) -> (Vec<(Disk, Claims)>, Vec<Claims>) {
    let mut kept: Vec<(Disk, Claims)> = Vec::new();
    let mut others = Vec::new();
    for (disk, claims) in found {
        let same = |(other, theirs): &&(Disk, Claims)| {
            claims.wwn.is_some()
                && claims.wwn == theirs.wwn
                && disk.size == other.size
                && disk.transport == Transport::Other
                && other.transport == Transport::Other
                && start(&disk.node()).is_some_and(|bytes| start(&other.node()) == Some(bytes))
        };
        if kept.iter().find(same).is_some() {
            others.push(claims);
        } else {
            kept.push((disk, claims));
        }
    }
    (kept, others)
}

fn start(node: &Path) -> Option<Vec<u8>> {
    let mut bytes = vec![0; COMPARED];
    File::open(node).ok()?.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether something of the running system stands on the disk: a mount, swap, a holder, or another user that has
/// taken it for itself, as ZFS and btrfs do with their members, which no table names.
fn in_use(sys: &Path, disk: &Disk) -> bool {
    let folder = sys.join("block").join(&disk.name);
    let mut places: Vec<(PathBuf, PathBuf)> = vec![(folder.clone(), disk.node())];
    for partition in &disk.partitions {
        places.push((folder.join(&partition.name), partition.node()));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    places.iter().any(|(folder, node)| {
        let number = fs::read_to_string(folder.join("dev")).unwrap_or_default();
        let mounted = |line: &str| line.split(' ').nth(2) == Some(number.trim());
        let swapped =
            |line: &str| line.split_whitespace().next().map(Path::new) == Some(node.as_path());
        let held = fs::read_dir(folder.join("holders")).is_ok_and(|mut held| held.next().is_some());
        held || mounts.lines().any(mounted) || swaps.lines().any(swapped) || is_claimed(node)
    })
}

/// Whether the kernel refuses to give the device to one user alone (`bd_may_claim` in `block/bdev.c`).
fn is_claimed(node: &Path) -> bool {
    let alone = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_EXCL | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(node);
    alone.is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
}

fn number(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_disk_hangs_on_the_nearest_function_also_through_an_nvme_subsystem() {
        let sys = tempfile::tempdir().unwrap();
        let at = |path: &str| sys.path().join("devices").join(path);
        let plain = at("pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda");
        let subsystem = at("virtual/nvme-subsystem/nvme-subsys0");
        let path = at("pci0000:00/0000:00:01.1/0000:01:00.0/nvme/nvme0");
        fs::create_dir_all(&plain).unwrap();
        fs::create_dir_all(subsystem.join("nvme0n1")).unwrap();
        fs::create_dir_all(path.join("transport")).unwrap();
        symlink(&path, subsystem.join("nvme0")).unwrap();
        fs::create_dir_all(sys.path().join("block")).unwrap();
        symlink(plain, sys.path().join("block/sda")).unwrap();
        symlink(subsystem.join("nvme0n1"), sys.path().join("block/nvme0n1")).unwrap();
        let on = |name| controller(sys.path(), name).map(|function| function.to_string());
        assert_eq!(on("sda").as_deref(), Some("0000:00:1f.2"));
        assert_eq!(on("nvme0n1").as_deref(), Some("0000:01:00.0"));
        assert_eq!(on("sdb"), None);
    }

    #[test]
    fn a_disk_tells_its_name_and_serial_number_where_its_driver_puts_them() {
        let sys = tempfile::tempdir().unwrap();
        let sda = sys.path().join("block/sda/device");
        fs::create_dir_all(&sda).unwrap();
        fs::write(sda.join("wwid"), "t10.ATA     QEMU  HARDDISK   1\n").unwrap();
        fs::write(sda.join("model"), "QEMU HARDDISK   \n").unwrap();
        fs::write(sda.join("vpd_pg80"), b"\0\x80\0\x08ABCD1234").unwrap();
        let seen = claims(sys.path(), "sda");
        assert_eq!(seen.wwn.as_deref(), Some("t10.ATA QEMU HARDDISK 1"));
        assert_eq!(seen.model.as_deref(), Some("QEMU HARDDISK"));
        assert_eq!(seen.serial.as_deref(), Some("ABCD1234"));
        assert_eq!(seen.path, "block/sda");
    }
}
