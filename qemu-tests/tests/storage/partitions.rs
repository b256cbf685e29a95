use qemu_tests::storage_guest::{LookRequest, Request};
use storage::{FileSystemId, Trouble, VolumeId};

use crate::lab::{Disks, Lab, ROOT};

/// Writes a root to a file system, so that its journal is left behind: the last file is synced and the
/// file system never unmounted.
fn dirty(device: &str, place: &str, name: &str) -> String {
    format!(
        "mkdir -p {place}; mount {device} {place}; cd {place}; {ROOT} sync; \
         dd if=/bin/busybox of=big bs=4k count=200 conv=fsync; \
         echo {name} > etc/hostname.new; mv etc/hostname.new etc/hostname; \
         dd if=/dev/null of=last conv=fsync; sync etc/hostname; sync -f .;"
    )
}

#[test]
fn dirty_ext4_xfs_and_btrfs_recover_in_memory_and_their_disks_stay_as_they_are() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.partitioned("all.img", &[64, 320, 256])]);
    let script = [
        "/bin/mke2fs -q -t ext4 /dev/vda1; mkfs.xfs -q /dev/vda2; mkfs.btrfs -q /dev/vda3;"
            .to_owned(),
        dirty("/dev/vda1", "/mnt/ext4", "on-ext4"),
        dirty("/dev/vda2", "/mnt/xfs", "on-xfs"),
        dirty("/dev/vda3", "/mnt/btrfs", "on-btrfs"),
    ];
    lab.ask("storage-dirty", &disks, &[Request::Shell(script.concat())]);

    let found = lab.look("storage-dirty-look", &disks, LookRequest::default());
    assert_eq!(
        found.texts("/etc/hostname"),
        ["on-btrfs\n", "on-ext4\n", "on-xfs\n"]
    );
    assert_eq!(found.storage.troubles, []);
    assert_eq!(found.ended.troubles, []);
    // Without a replay there would be nothing to protect the disks from.
    assert!(found.written_over > 0);
    let root = &found.storage.roots[0];
    assert_eq!(root.name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    let FileSystemId::On(VolumeId::Partition {
        number, partuuid, ..
    }) = &root.file_system
    else {
        panic!("{root:?}");
    };
    assert_eq!(*number, 1);
    assert_eq!(partuuid.as_ref().map(String::len), Some(36));
}

#[test]
fn the_check_of_the_disks_finds_a_mount_without_overlays() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.partitioned("control.img", &[64])]);
    let script = format!(
        "/bin/mke2fs -q -t ext4 /dev/vda1; {}",
        dirty("/dev/vda1", "/mnt/a", "a")
    );
    lab.ask("storage-control", &disks, &[Request::Shell(script)]);
    let before = disks.hashes();
    let mount =
        "mkdir -p /mnt/a; mount -o ro /dev/vda1 /mnt/a; cat /mnt/a/etc/hostname; umount /mnt/a";
    let told = lab.ask("storage-control-look", &disks, &[Request::shell(mount)]);
    assert_eq!(told.answers, ["a\n"]);
    assert!(told.writes[0] > 0, "{:?}", told.writes);
    assert_ne!(disks.hashes(), before);
}

#[test]
fn an_overlay_that_overflows_is_named_and_nothing_that_was_read_through_it_is_told() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.partitioned("over.img", &[128])]);
    // Many blocks in the journal, all of which a replay writes.
    let many = "/bin/mke2fs -q -t ext4 -J size=32 -O ^has_journal /dev/vda1 || true; \
        /bin/mke2fs -q -t ext4 -J size=32 /dev/vda1; mkdir -p /mnt/a; \
        mount -o data=journal,commit=300 /dev/vda1 /mnt/a; cd /mnt/a;";
    let files =
        "for n in 1 2 3 4 5; do dd if=/bin/busybox of=file$n bs=4k count=400 conv=fsync; done;";
    let script = format!("{many} {ROOT} echo over > etc/hostname; {files} sync -f .;");
    lab.ask("storage-over", &disks, &[Request::Shell(script)]);
    let request = LookRequest {
        bound: Some(1 << 20),
        ..LookRequest::default()
    };
    let found = lab.look("storage-over-look", &disks, request);
    assert_eq!(found.storage.roots, []);
    let overflow = |trouble: &&Trouble| {
        matches!(
            trouble,
            Trouble::Overflow {
                bound: 0x10_0000,
                ..
            }
        )
    };
    let trouble = found.storage.troubles.iter().find(overflow).unwrap();
    let words = trouble.to_string();
    assert!(
        words.contains("partition 1 of") && words.contains("1 MiB"),
        "{words}"
    );
}
