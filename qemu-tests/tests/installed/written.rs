//! File systems of installed systems opened for writing, on their disks.

use std::path::PathBuf;

use qemu_tests::Boot;
use qemu_tests::golden::{Console, Golden, Installed};
use qemu_tests::storage_guest::{End, LookAnswer, LookRequest, Request, WriteAnswer, WriteRequest};
use storage::{FileSystemId, Trouble};

use crate::lab::{Lab, TO_LOGIN, Told};
use crate::untouched::{Harm, sha256};

const PATH: &str = "/preflight-written";
const TEXT: &str = "written to the disk\n";
/// As the product's session holds all disks before anything is written.
const HOLD: &str = "for disk in /dev/vd*; do blockdev --setro $disk; done";
/// What would stay of a writer: devices, mounts, pools, and disks that are not held any more.
const STAYS: &str = "ls /sys/block; ls /dev/mapper; cut -d' ' -f2 /proc/mounts; zpool list -H; \
    cat /sys/module/spl/parameters/spl_hostid; \
    for disk in /dev/vd*; do [ $(blockdev --getro $disk) = 1 ] || echo $disk is not held; done";

fn request(installed: &Installed, end: End) -> WriteRequest {
    WriteRequest {
        host: installed.manifest.name.clone(),
        kinds: vec!["vfat".to_owned()],
        path: PATH.to_owned(),
        text: TEXT.to_owned(),
        passphrase: None,
        end,
    }
}

/// Reads the file in every root with a look, and at the top of these partitions.
fn read_again(esps: &[String]) -> [Request; 2] {
    let look = LookRequest {
        files: vec![PATH.to_owned(), "/etc/hostname".to_owned()],
        ..LookRequest::default()
    };
    let esps = esps.join(" ");
    let script = format!(
        "mkdir -p /mnt/esp; for esp in {esps}; do mount -t vfat -o ro $esp /mnt/esp; \
         cat /mnt/esp{PATH}; umount /mnt/esp; done"
    );
    [Request::Look(look), Request::shell(&script)]
}

/// Has the first system written to on a machine that has the disks of another one too, and sees that all of the one
/// and nothing of the other has changed. Gives the disks and what the writer answered.
fn only_what_is_wanted_is_written(
    lab: &Lab,
    installed: &Installed,
    other: &Installed,
    end: End,
) -> (Vec<PathBuf>, WriteAnswer) {
    let name = format!("installed-written-{}-{end:?}", installed.golden().name());
    let own = lab.overlays(&name, &installed.disks);
    let others = lab.overlays(&format!("{name}-other"), &other.disks);
    let letters = (0..own.len()).map(|number| char::from(b'a' + u8::try_from(number).unwrap()));
    let esps: Vec<String> = letters.map(|letter| format!("/dev/vd{letter}2")).collect();
    let mut requests = vec![
        Request::shell(HOLD),
        Request::Write(request(installed, end)),
        Request::shell(STAYS),
    ];
    requests.extend(read_again(&esps));
    let told = lab.ask_on(&name, &[own.clone(), others].concat(), &requests);
    let answer = answer(&told, 1);
    println!("{name}: {answer:#?}");
    assert_eq!(
        answer.written.len(),
        1 + esps.len(),
        "its root and its ESPs"
    );
    assert_eq!(answer.disks.len(), own.len());
    for word in ["dm-", "-root", "/run/preflight", "rpool", "is not held"] {
        let stays = &told.answers[2];
        assert!(!stays.contains(word), "{word} stays: {stays}");
    }
    assert!(told.answers[2].ends_with("\n0\n"), "{}", told.answers[2]);
    let seen: LookAnswer = serde_json::from_str(&told.answers[3]).unwrap();
    println!("{name}: {seen:#?}");
    let hosts = (0..seen.storage.roots.len()).map(|root| {
        let host = seen.file(root, "/etc/hostname").unwrap().trim().to_owned();
        (host, seen.file(root, PATH).map(str::to_owned))
    });
    let mut hosts: Vec<_> = hosts.collect();
    hosts.sort_by_key(|(host, _)| *host != installed.manifest.name);
    let text = Some(TEXT.to_owned());
    let wanted = [
        (installed.manifest.name.clone(), text),
        (other.manifest.name.clone(), None),
    ];
    assert_eq!(hosts, wanted);
    assert_eq!(told.answers[4], TEXT.repeat(esps.len()));
    // By QEMU's counters and by what the overlays hold: every disk of the one, none of the other.
    let Harm { counted, allocated } = told.harm;
    assert_eq!(counted.len(), own.len(), "{counted:?}");
    assert_eq!(allocated, own);
    (own, answer)
}

fn answer(told: &Told, number: usize) -> WriteAnswer {
    serde_json::from_str(&told.answers[number]).unwrap()
}

/// The same, and the writer closes what it has opened.
fn is_written_and_closed(golden: Golden, other: Golden) {
    let Some((lab, [installed, other])) = Lab::with([golden, other]) else {
        return;
    };
    let (_, answer) = only_what_is_wanted_is_written(&lab, &installed, &other, End::Closed);
    assert_eq!(answer.troubles, []);
    let ended = answer.ended.unwrap();
    assert_eq!(ended.troubles, []);
    for disk in &ended.writes {
        let may = answer.disks.contains(&disk.disk);
        assert_eq!(
            disk.writes.is_none(),
            !may,
            "the kernel's counters: {disk:?}"
        );
    }
}

#[test]
fn ext4_on_lvm_and_nothing_of_another_group_of_the_same_name() {
    is_written_and_closed(Golden::LvmExt4Bios, Golden::LvmXfsUefi);
}

#[test]
fn xfs_on_lvm_and_nothing_of_another_group_of_the_same_name() {
    is_written_and_closed(Golden::LvmXfsUefi, Golden::LvmExt4Bios);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror_with_two_esps_and_nothing_of_another_pool_of_the_same_name() {
    is_written_and_closed(Golden::ZfsSystemdBoot, Golden::ZfsGrub);
}

#[test]
fn a_btrfs_mirror_that_was_rehearsed_before_and_nothing_of_another_system() {
    is_written_and_closed(Golden::BtrfsMirror, Golden::LvmExt4Bios);
}

#[test]
fn what_a_killed_writer_has_opened_is_closed_by_another_process() {
    let Some((lab, [installed, other])) = Lab::with([Golden::LvmExt4Bios, Golden::BtrfsMirror])
    else {
        return;
    };
    let (_, answer) = only_what_is_wanted_is_written(&lab, &installed, &other, End::Killed);
    assert_eq!((answer.ended, answer.stays), (None, Vec::new()));
}

#[test]
fn a_pool_that_a_killed_writer_had_is_exported_by_another_process() {
    let Some((lab, [installed, other])) = Lab::with([Golden::ZfsGrub, Golden::LvmExt4Bios]) else {
        return;
    };
    let (_, answer) = only_what_is_wanted_is_written(&lab, &installed, &other, End::Killed);
    assert_eq!((answer.ended, answer.stays), (None, Vec::new()));
}

#[test]
#[ignore = "takes long: make soak"]
fn a_system_whose_pool_was_open_when_the_power_was_cut_boots_without_force() {
    let Some((lab, [installed])) = Lab::with([Golden::ZfsSystemdBoot]) else {
        return;
    };
    let disks = lab.overlays("cut-off", &installed.disks);
    let requests = [
        Request::shell(HOLD),
        Request::Write(request(&installed, End::CutOff)),
        Request::shell("zpool list -H -o name,altroot; cat /sys/module/spl/parameters/spl_hostid"),
    ];
    let told = lab.ask_on("installed-written-cut-off", &disks, &requests);
    assert_eq!(answer(&told, 1).written.len(), 3);
    // Still open, and with the number of its own host.
    let host = &installed.manifest.pool.as_ref().unwrap().host;
    let number = u32::from_str_radix(host, 16).unwrap();
    assert!(told.answers[2].starts_with("rpool\t/run/preflight/look"));
    assert!(
        told.answers[2].ends_with(&format!("\n{number}\n")),
        "{}",
        told.answers[2]
    );
    let machine = installed.machine(&disks, lab.folder()).unwrap();
    let boot = Boot::from_disk("installed-written-boots", machine).deadlines(lab.patient());
    let mut run = boot.start(&lab.qemu).unwrap();
    let mut console = Console::log_in(&mut run, installed.golden(), TO_LOGIN).unwrap();
    assert_eq!(console.ask(&format!("cat {PATH}")).unwrap(), TEXT.trim());
    assert_eq!(
        console.ask("zpool list -H -o name,health").unwrap(),
        "rpool\tONLINE"
    );
}

#[test]
fn half_of_a_pool_is_opened_with_a_warning_and_half_of_a_btrfs_is_refused() {
    let Some((lab, [pool, mirror])) = Lab::with([Golden::ZfsGrub, Golden::BtrfsMirror]) else {
        return;
    };
    let ask = |installed: &Installed, name: &str| {
        let requests = [Request::Write(request(installed, End::Closed))];
        lab.try_ask_on(name, &lab.overlays(name, &installed.disks[..1]), &requests)
    };
    let told = ask(&pool, "installed-written-half-zfs").unwrap();
    let written = answer(&told, 0);
    assert_eq!(written.written.len(), 2);
    let [Trouble::Incomplete { missing: 1, .. }] = written.troubles.as_slice() else {
        panic!("{:?}", written.troubles);
    };
    let refusal = ask(&mirror, "installed-written-half-btrfs").unwrap_err();
    assert!(refusal.contains("lacks 1 of its members"), "{refusal}");
}

#[test]
fn the_other_system_is_the_same_to_the_last_byte() {
    let Some((lab, [installed, other])) = Lab::with([Golden::LvmExt4Bios, Golden::LvmXfsUefi])
    else {
        return;
    };
    let own = lab.overlays("bytes-own", &installed.disks);
    let others = lab.overlays("bytes-other", &other.disks);
    let before = [&own[0], &others[0]].map(|disk| sha256(&lab.qemu, disk));
    let requests = [Request::Write(request(&installed, End::Closed))];
    let disks = [own.clone(), others.clone()].concat();
    let told = lab.ask_on("installed-written-bytes", &disks, &requests);
    let root = answer(&told, 0).written;
    assert!(root.iter().any(|id| matches!(id, FileSystemId::On(_))));
    let after = [&own[0], &others[0]].map(|disk| sha256(&lab.qemu, disk));
    assert_eq!(after[1], before[1]);
    assert_ne!(after[0], before[0], "the check sees what is written");
}
