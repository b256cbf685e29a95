//! From what the tools of an installed system printed to its manifest.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use super::facts::Facts;
use super::first_boot::{self, Seen};
use super::manifest::{
    BootEntry, Disk, Esp, FileSystem, Manifest, Partition, Pool, Volume, VolumeGroup,
};
use super::system::Golden;

/// The manifest of a system about which its tools said this, and of which this was seen when it booted.
pub(super) fn manifest(golden: Golden, facts: &Facts, seen: Seen) -> Result<Manifest> {
    let root = facts.pairs("root")?;
    let (root_source, root_kind) = root.into_iter().next().context("the guest had no root")?;
    let lines =
        |name| -> Result<Vec<String>> { Ok(facts.lines(name)?.map(str::to_owned).collect()) };
    let [real, shaped] = account(golden);
    let distribution = facts
        .lines("os-release")?
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .context("its os-release has no PRETTY_NAME")?;
    Ok(Manifest {
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
        command_line: seen.command_line,
        boot_entries: facts
            .lines("boot-entries")?
            .filter_map(boot_entry)
            .collect(),
        esps: esps(facts)?,
        files: digests(facts, "files")?,
        packages: facts.pairs("packages")?,
        real,
        shaped,
    })
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
    // The kernel finds disks in any order; the lab's serial numbers count them.
    let mut devices: Vec<&Value> = devices.iter().collect();
    devices.sort_by_key(|device| device["serial"].as_str());
    devices.into_iter().enumerate().map(disk).collect()
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

/// sha256sum(1) prints the digest first, and two files may have the same one.
fn digests(facts: &Facts, section: &str) -> Result<BTreeMap<String, String>> {
    let file = |line: &str| {
        let (digest, path) = line.split_once("  ")?;
        Some((path.to_owned(), digest.to_owned()))
    };
    Ok(facts.lines(section)?.filter_map(file).collect())
}

fn esps(facts: &Facts) -> Result<Vec<Esp>> {
    let names = facts.names().filter_map(|name| name.strip_prefix("esp "));
    let esp = |partition: &str| {
        Ok(Esp {
            partition: partition.to_owned(),
            files: digests(facts, &format!("esp {partition}"))?,
        })
    };
    names.map(esp).collect()
}

/// A line of `efibootmgr --verbose`: `Boot0002* proxmox`, a tab, `HD(2,GPT,GUID,0x800,0x100000)/File(PATH)`;
/// since version 18 without `File()`. None for what does not name a file on a partition.
fn boot_entry(line: &str) -> Option<BootEntry> {
    let (name, path) = line.strip_prefix("Boot")?.split_once('\t')?;
    let (number, label) = name.split_at_checked(4)?;
    let (partition, file) = path.strip_prefix("HD(")?.split_once(")/")?;
    let file = match file.strip_prefix("File(") {
        Some(inner) => inner.split(')').next()?,
        None => file,
    };
    Some(BootEntry {
        number: number.to_owned(),
        label: label.trim_start_matches('*').trim().to_owned(),
        partition: partition.split(',').nth(2)?.to_ascii_lowercase(),
        file: file.to_owned(),
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
        "a first boot to the login prompt and an orderly end, with its journal; the command line of its kernel",
    ];
    let mut shaped = vec![
        "the console on the command line, GRUB's timeout, and the password of root",
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

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = r#"== lsblk
{"blockdevices": [{"name":"nvme0n1", "serial":"slot5", "size":4294967296, "start":null,
  "ptuuid":"5a", "parttype":null, "partuuid":null, "fstype":null, "uuid":null, "label":null,
  "type":"disk", "children": [
    {"name":"nvme0n1p3", "serial":null, "size":3757030912, "start":1050624, "ptuuid":"5a",
     "parttype":"6a", "partuuid":"3b", "fstype":"zfs_member", "uuid":"123", "label":"rpool",
     "type":"part"},
    {"name":"nvme0n1p1", "serial":null, "size":1031168, "start":34, "ptuuid":"5a",
     "parttype":"21", "partuuid":"1b", "fstype":null, "uuid":null, "label":null, "type":"part"}]}]}
== volumes
== pool
123
rpool	none
rpool/ROOT/pve-1	/
== hostid
1a2b3c4d
== root
rpool/ROOT/pve-1 zfs
== kernels
6.1.0-50-amd64
== next-kernel
6.1.0-50-amd64
== peculiar

== packages
lvm2 2.03.16-2
== files
ab12  boot/vmlinuz-6.1.0-50-amd64
ab12  boot/vmlinuz.old
== esp 2b
ab12  EFI/proxmox/6.1.0-50-amd64/vmlinuz-6.1.0-50-amd64
== boot-entries
BootCurrent: 0001
BootOrder: 0001,0000
Boot0000* UiApp	FvVol(7cb8bdc9)/FvFile(462caa21)
Boot0001* Linux Boot Manager	HD(2,GPT,2B,0x800,0x100000)/File(\EFI\systemd\systemd-bootx64.efi)
Boot0002  debian	HD(1,GPT,1b,0x22,0x7de)/\EFI\debian\grubx64.efi
== os-release
NAME="Debian GNU/Linux"
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
== end
"#;

    fn of(facts: &str) -> Result<Manifest> {
        let seen = Seen {
            command_line: "root=ZFS=rpool/ROOT/pve-1 boot=zfs".to_owned(),
        };
        manifest(Golden::ZfsSystemdBoot, &Facts::parse(facts)?, seen)
    }

    #[test]
    fn what_the_tools_said_becomes_a_manifest_that_is_read_back_as_it_was() {
        let made = of(FACTS).unwrap();
        let folder = tempfile::tempdir().unwrap();
        made.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), made);
        let numbers = made.disks[0].partitions.iter().map(|part| part.number);
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 3]);
        let pool = made.pool.as_ref().unwrap();
        assert_eq!(
            (pool.guid.as_str(), pool.host.as_str()),
            ("123", "1a2b3c4d")
        );
        assert_eq!(pool.datasets, ["rpool", "rpool/ROOT/pve-1"]);
        assert_eq!(made.files["boot/vmlinuz-6.1.0-50-amd64"], "ab12");
        assert_eq!(made.files.len(), 2);
        let [esp] = made.esps.as_slice() else {
            panic!("{:?}", made.esps)
        };
        assert_eq!((esp.partition.as_str(), esp.files.len()), ("2b", 1));
        assert!(made.peculiar.is_empty());
        assert_eq!(made.volume_group, None);
    }

    #[test]
    fn boot_entries_are_read_as_old_and_new_efibootmgr_print_them() {
        let made = of(FACTS).unwrap().boot_entries;
        let entry = |number: &str, label: &str, partition: &str, file: &str| BootEntry {
            number: number.to_owned(),
            label: label.to_owned(),
            partition: partition.to_owned(),
            file: file.to_owned(),
        };
        let systemd_boot = r"\EFI\systemd\systemd-bootx64.efi";
        let wanted = [
            entry("0001", "Linux Boot Manager", "2b", systemd_boot),
            entry("0002", "debian", "1b", r"\EFI\debian\grubx64.efi"),
        ];
        assert_eq!(made, wanted);
    }

    #[test]
    fn a_file_system_leads_to_its_partition() {
        let made = of(FACTS).unwrap();
        let (disk, partition) = made.partition("123").unwrap();
        assert_eq!((disk.serial.as_str(), partition.number), ("slot5", 3));
        assert_eq!(made.partition("456"), None);
    }

    #[test]
    fn a_disk_leads_to_its_image_in_whichever_order_the_kernel_found_them() {
        let first = r#"{"name":"nvme0n1","#;
        let other = r#"{"name":"nvme1n1", "serial":"slot6", "size":1, "ptuuid":"5b"}, "#;
        let made = of(&FACTS.replace(first, &format!("{other}{first}"))).unwrap();
        let images = made.disks.iter().map(|disk| {
            let names = (disk.serial.as_str(), disk.table.as_str());
            (names, disk.file.clone())
        });
        let wanted = [("slot5", "5a"), ("slot6", "5b")].into_iter().enumerate();
        let wanted = wanted.map(|(number, names)| (names, first_boot::disk(number)));
        assert!(images.eq(wanted), "{:?}", made.disks);
    }

    #[test]
    fn a_disk_that_lsblk_says_too_little_about_is_an_error() {
        let error = of(&FACTS.replace("\"ptuuid\":\"5a\"", "\"ptuuid\":null"));
        assert!(error.unwrap_err().to_string().contains("no ptuuid"));
    }
}
