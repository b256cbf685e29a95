use qemu_tests::storage_guest::{End, LookAnswer, LookRequest, Request, WriteAnswer, WriteRequest};
use storage::Trouble;

use crate::lab::{Disks, Lab, ROOT};

const PATH: &str = "/preflight-written";
const TEXT: &str = "written to the disk\n";

fn write(host: &str) -> WriteRequest {
    WriteRequest {
        host: host.to_owned(),
        kinds: vec!["ext4".to_owned()],
        path: PATH.to_owned(),
        text: TEXT.to_owned(),
        passphrase: None,
        end: End::Closed,
    }
}

/// A root on a mirror of two partitions, its `/boot` beside, another disk with a file system; all of it in use when
/// the power goes.
fn laid_out(lab: &Lab) -> [std::path::PathBuf; 3] {
    let disks = [
        lab.partitioned("left.img", &[32, 96]),
        lab.partitioned("right.img", &[32, 96]),
        lab.bare("other.img", 64),
    ];
    let script = format!(
        "yes | mdadm --create /dev/md7 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean \
         /dev/vda2 /dev/vdb2; \
         for device in md7 vda1 vdc; do /bin/mke2fs -q -t ext4 /dev/$device; mkdir -p /mnt/$device; \
         mount /dev/$device /mnt/$device; done; \
         cd /mnt/md7; {ROOT} echo array > etc/hostname; sync -f .; \
         cd /mnt/vdc; echo other > mine; sync -f .; cd /mnt/vda1; echo kernel > vmlinuz; sync -f ."
    );
    let request = [Request::Shell(script)];
    lab.ask("storage-written-made", &Disks(disks.to_vec()), &request);
    disks
}

#[test]
fn a_root_on_an_array_and_its_boot_partition_and_nothing_of_another_disk() {
    let Some(lab) = Lab::open() else { return };
    let disks = laid_out(&lab);
    let other = Disks(vec![disks[2].clone()]);
    let before = other.hashes();
    let stays = "ls /sys/block; cut -d' ' -f2 /proc/mounts; \
        for disk in /dev/vd*; do [ $(blockdev --getro $disk) = 1 ] || echo $disk is not held; done";
    let look = LookRequest {
        files: vec![PATH.to_owned()],
        ..LookRequest::default()
    };
    let boot =
        format!("mkdir -p /mnt/boot; mount -o ro,noload /dev/vda1 /mnt/boot; cat /mnt/boot{PATH}");
    let requests = [
        Request::shell("for disk in /dev/vd*; do blockdev --setro $disk; done"),
        Request::Write(write("array")),
        Request::shell(stays),
        Request::Look(look),
        Request::shell(&boot),
    ];
    let told = lab.ask("storage-written", &Disks(disks.to_vec()), &requests);
    let answer: WriteAnswer = serde_json::from_str(&told.answers[1]).unwrap();
    println!("{answer:#?}");
    assert_eq!((answer.written.len(), answer.disks.len()), (2, 2));
    assert_eq!(answer.troubles, []);
    assert_eq!(answer.ended.unwrap().troubles, []);
    for word in ["dm-", "md", "/run/preflight", "is not held"] {
        assert!(
            !told.answers[2].contains(word),
            "{word}: {}",
            told.answers[2]
        );
    }
    let seen: LookAnswer = serde_json::from_str(&told.answers[3]).unwrap();
    assert_eq!(seen.texts(PATH), [TEXT]);
    assert_eq!(told.answers[4], TEXT);
    assert_eq!(told.writes[2], 0);
    assert_eq!(other.hashes(), before);
}

#[test]
fn an_array_without_one_of_its_members_is_read_and_not_written_to() {
    let Some(lab) = Lab::open() else { return };
    let [left, ..] = laid_out(&lab);
    let half = Disks(vec![left]);
    let before = half.hashes();
    let look = LookRequest::default();
    let (seen, refusal) = lab.refusal("storage-written-half", &half, look, write("array"));
    assert_eq!(seen.storage.arrays[0].missing, 1);
    let root = &seen.storage.roots[0].file_system;
    let lacks = seen.storage.is_whole(root).unwrap_err().to_string();
    assert!(
        lacks.starts_with("MD array ") && lacks.contains(" lacks 1 "),
        "{lacks}"
    );
    let is_told = |trouble: &Trouble| matches!(trouble, Trouble::Incomplete { missing: 1, .. });
    assert!(
        seen.storage.troubles.iter().any(is_told),
        "{:?}",
        seen.storage.troubles
    );
    assert!(refusal.contains("use --run to insist"), "{refusal}");
    assert_eq!(half.hashes(), before, "the disk's bytes");
}

#[test]
fn an_encrypted_root_is_written_to_with_its_passphrase_and_locked_again() {
    let Some(lab) = Lab::open() else { return };
    let disks = Disks(vec![lab.partitioned("luks.img", &[128])]);
    let make = format!(
        "echo -n secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --type luks2 \
         --key-file=- /dev/vda1; echo -n secret | cryptsetup open --key-file=- /dev/vda1 inner; \
         /bin/mke2fs -q -t ext4 /dev/mapper/inner; mkdir -p /mnt/a; mount /dev/mapper/inner /mnt/a; cd /mnt/a; \
         {ROOT} echo inside > etc/hostname; sync -f ."
    );
    lab.ask("storage-written-luks-made", &disks, &[Request::Shell(make)]);
    let passphrase = Some("secret".to_owned());
    let look = LookRequest {
        files: vec![PATH.to_owned()],
        passphrase: passphrase.clone(),
        ..LookRequest::default()
    };
    let requests = [
        Request::Write(WriteRequest {
            passphrase,
            ..write("inside")
        }),
        Request::shell("ls /sys/block; ls /dev/mapper"),
        Request::Look(look),
    ];
    let told = lab.ask("storage-written-luks", &disks, &requests);
    let answer: WriteAnswer = serde_json::from_str(&told.answers[0]).unwrap();
    println!("{answer:#?}");
    assert_eq!((answer.written.len(), answer.troubles.len()), (1, 0));
    assert_eq!(answer.ended.unwrap().troubles, []);
    assert!(!told.answers[1].contains("dm-"), "{}", told.answers[1]);
    let seen: LookAnswer = serde_json::from_str(&told.answers[2]).unwrap();
    assert_eq!(seen.texts(PATH), [TEXT]);
}
