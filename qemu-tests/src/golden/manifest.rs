use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::Facts;
use super::first_boot;
use super::system::{Bus, Firmware, Golden};

const FILE: &str = "manifest.json";

/// What is known about an installed system: what its own tools said when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `preflight.golden/1`
    pub schema: String,
    /// Its name, which is also its host name.
    pub name: String,
    /// What it is, in a line.
    pub words: String,
    /// `PRETTY_NAME` of its os-release.
    pub distribution: String,
    /// What starts it.
    pub firmware: Firmware,
    /// Its disks, in the order in which the machine has them.
    pub disks: Vec<Disk>,
    /// The root: what findmnt(8) called its source, and its file system.
    pub root_source: String,
    /// The root's file system: `ext4`, `xfs`, `btrfs`, `zfs`.
    pub root_kind: String,
    /// LVM's volume group.
    pub volume_group: Option<VolumeGroup>,
    /// The ZFS pool.
    pub pool: Option<Pool>,
    /// Folders in /lib/modules.
    pub kernels: Vec<String>,
    /// The one of them that the boot loader starts by itself.
    pub next_kernel: String,
    /// What one would not expect of such a system, in sentences.
    pub peculiar: Vec<String>,
    /// SHA-256 of files that boot loaders and initrds are made of, by path from the root.
    pub files: BTreeMap<String, String>,
    /// Installed packages and their versions, those that are shaped too.
    pub packages: BTreeMap<String, String>,
    /// What Debian's own programs made.
    pub real: Vec<String>,
    /// What was written to look like the work of programs that were not there.
    pub shaped: Vec<String>,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The image, beside the manifest.
    pub file: String,
    /// What it hangs on.
    pub bus: Bus,
    /// Serial number.
    pub serial: String,
    /// Bytes.
    pub bytes: u64,
    /// GUID of the partition table, lower case.
    pub table: String,
    /// Its partitions, by number.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// From 1.
    pub number: u32,
    /// Type GUID, lower case.
    pub kind: String,
    /// Partition GUID (PARTUUID), lower case.
    pub uuid: String,
    /// First sector, of 512 bytes.
    pub start: u64,
    /// Bytes.
    pub bytes: u64,
    /// What it holds, in libblkid's words.
    pub holds: Option<FileSystem>,
}

/// What libblkid recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// `vfat`, `LVM2_member`, `zfs_member`, `btrfs` and so on.
    pub kind: String,
    /// As blkid prints it.
    pub uuid: Option<String>,
    /// Its label.
    pub label: Option<String>,
}

/// A volume group of LVM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeGroup {
    /// Its name.
    pub name: String,
    /// Its UUID, with LVM's hyphens.
    pub uuid: String,
    /// Its logical volumes.
    pub volumes: Vec<Volume>,
}

/// A logical volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its UUID, with LVM's hyphens.
    pub uuid: String,
    /// `lv_attr`, see lvs(8).
    pub attributes: String,
    /// Bytes.
    pub bytes: u64,
}

/// A ZFS pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its guid, decimal.
    pub guid: String,
    /// Host id of the system that it belongs to, eight hex digits.
    pub host: String,
    /// Its datasets when the root was installed.
    pub datasets: Vec<String>,
}

impl Manifest {
    /// The manifest in the folder of an installed system.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    /// Writes it into the folder of the system.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        fs::write(&path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The manifest of a system about which its tools said this.
    pub(super) fn of(golden: Golden, facts: &Facts) -> Result<Self> {
        let root = facts.pairs("root")?;
        let (root_source, root_kind) = root.into_iter().next().context("the guest had no root")?;
        let lines =
            |name| -> Result<Vec<String>> { Ok(facts.lines(name)?.map(str::to_owned).collect()) };
        let [real, shaped] = account(golden);
        let distribution = facts
            .lines("os-release")?
            .find_map(|line| line.strip_prefix("PRETTY_NAME="))
            .context("its os-release has no PRETTY_NAME")?;
        // sha256sum(1) prints the digest first.
        let files = facts.pairs("files")?.into_iter();
        Ok(Self {
            schema: "preflight.golden/1".to_owned(),
            name: golden.name().to_owned(),
            words: golden.words().to_owned(),
            distribution: distribution.trim_matches('"').to_owned(),
            firmware: golden.firmware(),
            disks: disks(golden, facts)?,
            root_source,
            root_kind,
            volume_group: volume_group(facts)?,
            pool: pool(facts)?,
            kernels: lines("kernels")?,
            peculiar: lines("peculiar")?,
            next_kernel: facts.section("next-kernel")?.to_owned(),
            files: files.map(|(digest, path)| (path, digest)).collect(),
            packages: facts.pairs("packages")?,
            real,
            shaped,
        })
    }

    /// The partition that holds a file system with this UUID, and its disk.
    pub fn partition(&self, uuid: &str) -> Option<(&Disk, &Partition)> {
        self.disks.iter().find_map(|disk| {
            let holds = |partition: &&Partition| {
                let known = partition
                    .holds
                    .as_ref()
                    .and_then(|held| held.uuid.as_deref());
                known == Some(uuid)
            };
            Some((disk, disk.partitions.iter().find(holds)?))
        })
    }
}

fn disks(golden: Golden, facts: &Facts) -> Result<Vec<Disk>> {
    let tree: Value = serde_json::from_str(facts.section("lsblk")?).context("lsblk's JSON")?;
    let devices = tree["blockdevices"].as_array().context("lsblk's JSON")?;
    let disk = |(number, device): (usize, &Value)| -> Result<Disk> {
        let children = device["children"].as_array().into_iter().flatten();
        let mut partitions = children
            .filter(|child| child["type"] == "part")
            .map(partition)
            .collect::<Result<Vec<_>>>()?;
        partitions.sort_by_key(|partition| partition.number);
        Ok(Disk {
            file: first_boot::disk(number),
            bus: golden.bus(),
            serial: word(device, "serial")?,
            bytes: count(device, "size")?,
            table: word(device, "ptuuid")?,
            partitions,
        })
    };
    devices.iter().enumerate().map(disk).collect()
}

fn partition(child: &Value) -> Result<Partition> {
    let name = word(child, "name")?;
    let digits = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    // nvme0n1p3, sda3.
    let number = digits.rsplit('p').next().unwrap_or(digits);
    let optional = |key| word(child, key).ok();
    Ok(Partition {
        number: number
            .parse()
            .with_context(|| format!("'{name}' has no partition number"))?,
        kind: word(child, "parttype")?,
        uuid: word(child, "partuuid")?,
        start: count(child, "start")?,
        bytes: count(child, "size")?,
        holds: optional("fstype").map(|kind| FileSystem {
            kind,
            uuid: optional("uuid"),
            label: optional("label"),
        }),
    })
}

fn volume_group(facts: &Facts) -> Result<Option<VolumeGroup>> {
    let text = facts.section("volumes")?;
    if text.is_empty() {
        return Ok(None);
    }
    let report: Value = serde_json::from_str(text).context("LVM's report")?;
    let rows = report["report"][0]["vg"].as_array();
    let rows = rows.map(Vec::as_slice).unwrap_or_default();
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let volume = |row: &Value| -> Result<Volume> {
        Ok(Volume {
            name: word(row, "lv_name")?,
            uuid: word(row, "lv_uuid")?,
            attributes: word(row, "lv_attr")?,
            bytes: word(row, "lv_size")?.parse().context("lv_size")?,
        })
    };
    Ok(Some(VolumeGroup {
        name: word(first, "vg_name")?,
        uuid: word(first, "vg_uuid")?,
        volumes: rows.iter().map(volume).collect::<Result<_>>()?,
    }))
}

fn pool(facts: &Facts) -> Result<Option<Pool>> {
    let mut lines = facts.lines("pool")?;
    let Some(guid) = lines.next() else {
        return Ok(None);
    };
    let datasets = lines.filter_map(|line| line.split_whitespace().next());
    Ok(Some(Pool {
        name: "rpool".to_owned(),
        guid: guid.to_owned(),
        host: facts.section("hostid")?.to_owned(),
        datasets: datasets.map(str::to_owned).collect(),
    }))
}

/// What is real and what is shaped, in words.
fn account(golden: Golden) -> [Vec<String>; 2] {
    let mut real = vec![
        "Debian's packages, their kernel and its configuration",
        "partitions, file systems, volumes and pools, by the tools of the installed system",
        "GRUB by grub-install and update-grub, or systemd-boot by bootctl",
        "initrds, by update-initramfs or dracut for the machine that it was installed on",
        "a first boot to the login prompt and an orderly end, with its journal",
    ];
    let mut shaped = vec![
        "the console on the command line, and the password of root",
        "apt's sources, which name hosts that do not exist",
        "/etc/network/interfaces, /etc/hosts, /etc/fstab",
    ];
    if golden.is_proxmox() {
        real.push("ZFS's kernel modules, built by DKMS");
        shaped.extend([
            "the package zfs-modules-ready, in place of zfs-dkms",
            "config.db, by sqlite3 in pmxcfs's schema, with its guests, mappings and storages",
            "entries of Proxmox's packages in dpkg's status; none of them is installed",
            "/etc/kernel/cmdline, proxmox-boot-uuids and the files on ESPs that proxmox-boot-tool would write",
            "/etc/modules and /etc/modprobe.d",
        ]);
    } else {
        shaped.extend([
            "libvirt's domains, network and log; libvirt is not installed",
            "/etc/modprobe.d and /etc/dracut.conf.d",
        ]);
    }
    [real, shaped].map(|words| words.into_iter().map(str::to_owned).collect())
}

fn word(value: &Value, key: &str) -> Result<String> {
    let word = value[key].as_str();
    word.map(str::to_owned)
        .with_context(|| format!("no {key} in {value}"))
}

fn count(value: &Value, key: &str) -> Result<u64> {
    value[key]
        .as_u64()
        .with_context(|| format!("no {key} in {value}"))
}
