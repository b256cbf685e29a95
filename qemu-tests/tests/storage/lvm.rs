use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use qemu_tests::storage_guest::{LookRequest, Request};
use storage::{Content, FileSystemId, Trouble, VolumeId};

use crate::lab::{Disks, Lab, ROOT};

/// How Proxmox VE lays out a disk: a group with a root, a swap and a thin pool, in which a guest has a disk.
/// The power goes while both are written to.
fn proxmox(device: &str, host: &str) -> String {
    let lvm = |words: &str| {
        let (command, rest) = words.split_once(' ').unwrap();
        format!(
            "lvm {command} -qq --devices {device} --config 'activation{{udev_sync=0 udev_rules=0 monitoring=0}} \
             global{{thin_check_executable=\"\" event_activation=0}} devices{{use_devicesfile=0}} \
             backup{{backup=0 archive=0}}' {rest};"
        )
    };
    [
        lvm(&format!("pvcreate {device}")),
        lvm(&format!("vgcreate pve {device}")),
        lvm("lvcreate -Wn -Zn -L 64M -n root pve"),
        lvm("lvcreate -Wn -Zn -L 8M -n swap pve"),
        lvm("lvcreate -Wn -Zn -L 48M --poolmetadatasize 4M -T pve/data"),
        lvm("lvcreate -V 32M -T pve/data -n vm-100-disk-0"),
        "/bin/mke2fs -q -t ext4 /dev/mapper/pve-root; busybox mkswap /dev/mapper/pve-swap;"
            .to_owned(),
        "mkdir -p /mnt/a; mount /dev/mapper/pve-root /mnt/a; cd /mnt/a;".to_owned(),
        format!("{ROOT} echo {host} > etc/hostname; sync -f .;"),
        "dd if=/bin/busybox of=/dev/mapper/pve-vm--100--disk--0 bs=64k count=8 conv=fsync;"
            .to_owned(),
    ]
    .concat()
}

#[test]
fn two_groups_of_one_name_are_told_apart_and_their_thin_pools_stay_untouched() {
    let Some(lab) = Lab::open() else { return };
    let disks = ["first.img", "second.img"].map(|name| lab.partitioned(name, &[8, 160]));
    for (disk, host) in disks.iter().zip(["one", "two"]) {
        let disks = Disks(vec![disk.clone()]);
        let script = proxmox("/dev/vda2", host);
        lab.ask(
            &format!("storage-lvm-{host}"),
            &disks,
            &[Request::Shell(script)],
        );
    }
    let disks = Disks(disks.to_vec());
    let found = lab.look("storage-lvm-look", &disks, LookRequest::default());
    assert_eq!(found.texts("/etc/hostname"), ["one\n", "two\n"]);
    let groups = &found.storage.volume_groups;
    assert_eq!(groups.len(), 2);
    assert!(
        groups
            .iter()
            .all(|group| group.name == "pve" && group.missing == 0)
    );
    assert_ne!(groups[0].uuid, groups[1].uuid);
    let names: Vec<&str> = groups[0]
        .logical_volumes
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    for name in ["root", "swap", "data", "vm-100-disk-0"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let roots = &found.storage.roots;
    let on_volume =
        |id: &FileSystemId| matches!(id, FileSystemId::On(VolumeId::LogicalVolume { .. }));
    assert!(
        roots.iter().all(|root| on_volume(&root.file_system)),
        "{roots:?}"
    );

    // Root and swap of both came up, and nothing else did.
    let up = found.storage.volumes.iter().filter(|volume| {
        let known = matches!(volume.content, Content::Known(_));
        known && matches!(volume.id, VolumeId::LogicalVolume { .. })
    });
    assert_eq!(up.count(), 4);
    let thin = |trouble: &&Trouble| matches!(trouble, Trouble::LeftAlone { name, why, .. } if name == "pve/data" && why.contains("thin"));
    assert_eq!(
        found.storage.troubles.iter().filter(thin).count(),
        2,
        "{:#?}",
        found.storage.troubles
    );
}

#[test]
fn the_check_of_the_disks_finds_a_journal_that_device_mapper_wrote_through_the_read_only_flag() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.partitioned("control.img", &[8, 160])]);
    let script = proxmox("/dev/vda2", "one");
    lab.ask("storage-lvm-control", &disks, &[Request::Shell(script)]);
    let before = disks.hashes();
    let mount = "blockdev --setro /dev/vda; blockdev --setro /dev/vda2; \
        lvm lvchange -qq -ay --config 'activation{udev_sync=0 udev_rules=0 monitoring=0}' pve/root; \
        mkdir -p /mnt/a; mount -o ro /dev/mapper/pve-root /mnt/a; cat /mnt/a/etc/hostname; umount /mnt/a";
    let told = lab.ask("storage-lvm-control-look", &disks, &[Request::shell(mount)]);
    assert_eq!(told.answers, ["one\n"]);
    assert!(told.writes[0] > 0, "{:?}", told.writes);
    assert_ne!(disks.hashes(), before);
}

#[test]
fn a_group_that_lacks_a_disk_is_named_and_what_is_whole_of_it_is_read() {
    let Some(lab) = Lab::open() else { return };
    let disks = [lab.bare("here.img", 128), lab.bare("gone.img", 64)];
    let config =
        "--config 'activation{udev_sync=0 udev_rules=0 monitoring=0} backup{backup=0 archive=0}'";
    let script = format!(
        "lvm vgcreate -qq {config} tank /dev/vda /dev/vdb; \
         lvm lvcreate -qq {config} -Wn -Zn -L 48M -n root tank /dev/vda; \
         lvm lvcreate -qq {config} -Wn -Zn -L 32M -n data tank /dev/vdb; \
         /bin/mke2fs -q -t ext4 /dev/mapper/tank-root; mkdir -p /mnt/a; mount /dev/mapper/tank-root /mnt/a; \
         cd /mnt/a; {ROOT} echo half > etc/hostname; sync -f ."
    );
    lab.ask(
        "storage-partial",
        &Disks(disks.to_vec()),
        &[Request::Shell(script)],
    );
    let rest = Disks(vec![disks[0].clone()]);
    let found = lab.look("storage-partial-look", &rest, LookRequest::default());
    assert_eq!(found.texts("/etc/hostname"), ["half\n"]);
    let words: Vec<String> = found
        .storage
        .troubles
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        words
            .iter()
            .any(|one| one.contains("tank") && one.contains("lacks 1")),
        "{words:?}"
    );
    assert!(
        words
            .iter()
            .any(|one| one.starts_with("tank/data was not opened")),
        "{words:?}"
    );
}

/// The beginnings of physical volumes that LVM's tools of other years wrote.
const HEADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures/lvm");

#[test]
fn heads_of_other_peoples_physical_volumes_are_what_they_were_reviewed_to_be() {
    let Some(lab) = Lab::open() else { return };
    let Ok(head) = fs::read(format!("{HEADS}/dfvfs-lvm-first1M.img")) else {
        return qemu_tests::skip(&format!("{HEADS} is not there"));
    };
    // As long as its metadata says that the device was.
    let group = lab.bare("group.img", 10);
    write_head(&group, &head);
    let packed = format!("{HEADS}/util-linux-lvm2.img.xz");
    let unpacked = Command::new("xz").args(["-dc", &packed]).output().unwrap();
    assert!(unpacked.status.success(), "{packed}");
    let alone = lab.bare("alone.img", 2);
    write_head(&alone, &unpacked.stdout);

    let disks = Disks(vec![group, alone]);
    let found = lab.look("storage-lvm-heads", &disks, LookRequest::default());
    let contents: Vec<&Content> = found
        .storage
        .volumes
        .iter()
        .map(|volume| &volume.content)
        .collect();
    let shown = serde_json::json!({
        "contents": contents,
        "groups": found.storage.volume_groups,
    });
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
}

fn write_head(disk: &Path, head: &[u8]) {
    let mut disk = OpenOptions::new().write(true).open(disk).unwrap();
    disk.write_all(head).unwrap();
}
