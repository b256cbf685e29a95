use qemu_tests::storage_guest::{LookAnswer, LookRequest, Request};
use storage::{LookOptions, Trouble};

use crate::lab::{Disks, Lab, ROOT};

/// What a look finds in a guest that uses some of its disks while it looks. `after` is run behind it, and its
/// output is given too.
fn look_beside(
    lab: &Lab,
    name: &str,
    disks: &Disks,
    script: &str,
    after: &str,
) -> (LookAnswer, String) {
    let look = LookRequest {
        files: vec!["/etc/hostname".to_owned()],
        ..LookRequest::default()
    };
    let requests = [
        Request::shell(script),
        Request::Look(look),
        Request::shell(after),
    ];
    let told = lab.ask(name, disks, &requests);
    let answer: LookAnswer = serde_json::from_str(&told.answers[1]).unwrap();
    println!("{name}: {answer:#?}");
    (answer, told.answers[2].clone())
}

fn in_use(answer: &LookAnswer) -> usize {
    let troubles = answer.storage.troubles.iter();
    troubles
        .filter(|trouble| matches!(trouble, Trouble::InUse { .. }))
        .count()
}

#[test]
fn members_of_a_mounted_btrfs_are_in_use_though_no_table_names_them() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.bare("left.img", 128), lab.bare("right.img", 128)]);
    let script = format!(
        "mkfs.btrfs -q -d raid1 -m raid1 /dev/vda /dev/vdb; mkdir -p /mnt/a; \
         mount -o device=/dev/vda,device=/dev/vdb /dev/vda /mnt/a; cd /mnt/a; {ROOT} echo live > etc/hostname"
    );
    let after = "cat /sys/block/vd?/ro; cat /mnt/a/etc/hostname; touch /mnt/a/still-writable; sync";
    let (answer, told) = look_beside(&lab, "storage-host-btrfs", &disks, &script, after);
    assert_eq!(in_use(&answer), 2, "{:?}", answer.storage.troubles);
    assert_eq!(answer.storage.roots, []);
    assert_eq!(told, "0\n0\nlive\n");
}

#[test]
fn members_of_an_imported_pool_are_in_use_and_stay_imported() {
    let Some(lab) = Lab::with_zfs() else { return };
    let disks = Disks(vec![lab.partitioned("pool.img", &[192])]);
    let script = "zpool create -f -o cachefile=none -m none rpool /dev/vda1";
    let (answer, told) = look_beside(
        &lab,
        "storage-host-zfs",
        &disks,
        script,
        "zpool list -H -o name",
    );
    assert_eq!(in_use(&answer), 1, "{:?}", answer.storage.troubles);
    assert_eq!(told, "rpool\n");
}

const CONFIG: &str = "--config 'activation{udev_sync=0 udev_rules=0 monitoring=0} backup{backup=0 archive=0} \
    devices{use_devicesfile=0}'";

/// A group `pve` with a root on this disk, left inactive.
fn group(device: &str, host: &str) -> String {
    format!(
        "lvm vgcreate -qq {CONFIG} --devices {device} pve {device}; \
         lvm lvcreate -qq {CONFIG} --devices {device} -Wn -Zn -L 48M -n root pve; \
         /bin/mke2fs -q -t ext4 /dev/mapper/pve-root; mkdir -p /mnt/{host}; \
         mount /dev/mapper/pve-root /mnt/{host}; cd /mnt/{host}; {ROOT} echo {host} > etc/hostname; cd /; \
         umount /mnt/{host}; lvm vgchange -qq {CONFIG} --devices {device} -an pve; "
    )
}

#[test]
fn volumes_that_the_host_has_active_are_never_taken_for_those_of_a_copy_and_keep_their_name() {
    let Some(lab) = Lab::open() else { return };
    let disks = ["live.img", "copy.img", "other.img"].map(|name| lab.bare(name, 96));
    let script = [
        group("/dev/vdc", "other"),
        group("/dev/vda", "live"),
        "dd if=/dev/vda of=/dev/vdb bs=1M; sync; ".to_owned(),
        format!("lvm vgchange -qq {CONFIG} --devices /dev/vda -ay pve"),
    ]
    .concat();
    let after = "cat /sys/block/dm-*/dm/name; cat /sys/block/vda/holders/*/dm/name";
    let disks = Disks(disks.to_vec());
    let (answer, told) = look_beside(&lab, "storage-host-copy", &disks, &script, after);
    assert_eq!(in_use(&answer), 1, "{:?}", answer.storage.troubles);
    // The copy would be read through the live volume; the group of the same name is another one.
    assert_eq!(answer.texts("/etc/hostname"), ["other\n"]);
    let copy = |trouble: &&Trouble| matches!(trouble, Trouble::NotAssembled { why, .. } if why.contains("same UUID"));
    assert_eq!(answer.storage.troubles.iter().filter(copy).count(), 1);
    assert_eq!(told, "pve-root\npve-root\n");
}

#[test]
fn what_a_killed_look_has_set_read_only_can_be_written_to_again() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.bare("disk.img", 8)]);
    let folder = LookOptions::default().folder;
    let script = format!(
        "mkdir -p {0}; echo /dev/vda > {0}/read-only; blockdev --setro /dev/vda; blockdev --getro /dev/vda",
        folder.display()
    );
    let after = "blockdev --getro /dev/vda";
    let (_, told) = look_beside(&lab, "storage-host-flag", &disks, &script, after);
    assert_eq!(told, "0\n");
}
