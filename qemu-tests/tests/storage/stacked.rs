use qemu_tests::storage_guest::{LookRequest, Request};
use storage::{Trouble, VolumeId};

use crate::lab::{Disks, Lab, ROOT};

/// Makes an ext4 with a root and leaves it mounted.
fn root(device: &str, place: &str, host: &str) -> String {
    format!(
        "/bin/mke2fs -q -t ext4 {device}; mkdir -p {place}; mount {device} {place}; cd {place}; {ROOT} \
         echo {host} > etc/hostname; sync -f .;"
    )
}

#[test]
#[ignore = "takes long: make soak"]
fn a_btrfs_that_lacks_one_of_two_mirrored_disks_is_read_degraded() {
    let Some(lab) = Lab::open() else { return };
    let disks = [lab.bare("left.img", 256), lab.bare("right.img", 256)];
    let script = format!(
        "mkfs.btrfs -q -d raid1 -m raid1 /dev/vda /dev/vdb; mkdir -p /mnt/a; \
         mount -o device=/dev/vda,device=/dev/vdb /dev/vda /mnt/a; cd /mnt/a; \
         btrfs subvolume create @rootfs; cd @rootfs; {ROOT} echo mirror > etc/hostname; sync -f .;"
    );
    lab.ask(
        "storage-btrfs",
        &Disks(disks.to_vec()),
        &[Request::Shell(script)],
    );
    let whole = Disks(disks.to_vec());
    let found = lab.look("storage-btrfs-whole", &whole, LookRequest::default());
    assert_eq!(found.texts("/etc/hostname"), ["mirror\n"]);
    assert_eq!(found.storage.roots[0].subvolume, "@rootfs");
    assert_eq!(found.storage.troubles, []);

    let half = Disks(vec![disks[1].clone()]);
    let found = lab.look("storage-btrfs-half", &half, LookRequest::default());
    assert_eq!(found.texts("/etc/hostname"), ["mirror\n"]);
    let lacks = |trouble: &Trouble| matches!(trouble, Trouble::Incomplete { missing: 1, .. });
    assert!(found.storage.troubles.iter().any(lacks));
}

#[test]
fn an_array_is_assembled_for_reading_and_its_dirty_mirror_is_not_repaired() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.bare("left.img", 128), lab.bare("right.img", 128)]);
    let make = "yes | mdadm --create /dev/md7 --level=1 --raid-devices=2 --metadata=1.2 --name=system \
        --homehost=pve --assume-clean /dev/vda /dev/vdb;";
    let script = format!("{make} {}", root("/dev/md7", "/mnt/a", "array"));
    lab.ask("storage-md", &disks, &[Request::Shell(script)]);
    let found = lab.look("storage-md-look", &disks, LookRequest::default());
    assert_eq!(found.texts("/etc/hostname"), ["array\n"]);
    let array = &found.storage.arrays[0];
    assert!(array.assembled && array.members.len() == 2, "{array:?}");
    assert_eq!(array.name.as_deref(), Some("pve:system"));
}

#[test]
fn a_luks_volume_is_named_and_opened_with_its_passphrase() {
    let Some(mut lab) = Lab::open() else { return };
    // The usual derivation of a key works in a thread for each processor.
    lab.processors = 2;
    let disks = Disks(vec![lab.partitioned("luks.img", &[128])]);
    let fast = "--pbkdf argon2id --pbkdf-memory 32768 --pbkdf-force-iterations 4 --type luks2";
    let script = format!(
        "echo -n secret | cryptsetup luksFormat -q {fast} --key-file=- /dev/vda1; \
         cryptsetup luksDump /dev/vda1 | grep -q 'Threads: *2'; \
         echo -n secret | cryptsetup open --key-file=- /dev/vda1 inner; {}",
        root("/dev/mapper/inner", "/mnt/a", "inside")
    );
    lab.ask("storage-luks", &disks, &[Request::Shell(script)]);
    let found = lab.look("storage-luks-closed", &disks, LookRequest::default());
    assert_eq!(found.storage.roots, []);
    assert!(matches!(
        found.storage.troubles[..],
        [Trouble::Closed { .. }]
    ));

    let request = LookRequest {
        passphrase: Some("secret".to_owned()),
        ..LookRequest::default()
    };
    let found = lab.look("storage-luks-open", &disks, request);
    assert_eq!(found.texts("/etc/hostname"), ["inside\n"]);
    assert_eq!(found.storage.troubles, []);
    let opened = |id: &VolumeId| matches!(id, VolumeId::Opened { .. });
    assert!(
        found
            .storage
            .volumes
            .iter()
            .any(|volume| opened(&volume.id))
    );
}
