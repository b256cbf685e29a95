//! Sticks that an image was written to, as files; what the writes leave when the power goes between two of them is
//! read by other programs' code.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gptman::{GPT, GPTPartitionEntry};
use storage::{Growth, PARTITION_TYPE, disk_can_grow, partition_table};

const MIB: u64 = 1 << 20;
const IMAGE: u64 = 12 * MIB;
const DATA: std::ops::Range<u64> = 4 * MIB..11 * MIB;

fn mixed_endian(guid: &str) -> [u8; 16] {
    let digits: String = guid.chars().filter(|letter| *letter != '-').collect();
    let mut bytes = u128::from_str_radix(&digits, 16).unwrap().to_be_bytes();
    bytes[0..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

struct Stick {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

/// An image with boot files at 1 MiB and a place for results with these folders, on a disk of `length`.
fn stick(length: u64, files: &[&str]) -> Stick {
    stick_with(length, &fat(files))
}

fn stick_with(length: u64, volume: &[u8]) -> Stick {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stick.img");
    let mut file = open(&path);
    file.set_len(IMAGE).unwrap();
    GPT::write_protective_mbr_into(&mut file, 512).unwrap();
    let mut table = GPT::new_from(&mut file, 512, [7; 16]).unwrap();
    let entry = |kind: &str, id, range: std::ops::Range<u64>| GPTPartitionEntry {
        partition_type_guid: mixed_endian(kind),
        unique_partition_guid: [id; 16],
        starting_lba: range.start / 512,
        ending_lba: range.end / 512 - 1,
        attribute_bits: 0,
        partition_name: "PREFLIGHT".into(),
    };
    table[1] = entry("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", 1, MIB..4 * MIB);
    table[2] = entry(PARTITION_TYPE, 2, DATA);
    table.write_into(&mut file).unwrap();
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(&[0xb0; 3 << 20]).unwrap();
    file.seek(SeekFrom::Start(DATA.start)).unwrap();
    file.write_all(volume).unwrap();
    file.set_len(length).unwrap();
    Stick {
        _folder: folder,
        path,
    }
}

/// Grows the disk; what is noted is what the table says afterwards.
fn grow_disk(path: &Path) -> Growth {
    let mut noted = None;
    let growth = storage::grow_disk(path, &mut |old, new| {
        noted = Some((old.to_owned(), new.to_owned()));
        Ok(())
    });
    if let Some((old, new)) = noted {
        assert_eq!(old, "02020202-0202-0202-0202-020202020202");
        assert_eq!(partition_table(path).unwrap()[1].uuid, Some(new));
    }
    growth.unwrap()
}

fn fat(files: &[&str]) -> Vec<u8> {
    let mut volume = vec![0; usize::try_from(DATA.end - DATA.start).unwrap()];
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat16)
        .bytes_per_cluster(512)
        .volume_label(*b"PREFLIGHT  ");
    fatfs::format_volume(std::io::Cursor::new(&mut volume), options).unwrap();
    let system = FileSystem::new(std::io::Cursor::new(&mut volume), FsOptions::new()).unwrap();
    for name in files {
        system.root_dir().create_dir(name).unwrap();
    }
    system.unmount().unwrap();
    volume
}

fn open(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).unwrap()
}

/// The place for results as another program finds it, copied, and its label.
fn data_label(
    path: &Path,
) -> (
    (std::ops::Range<u64>, tempfile::NamedTempFile),
    Option<String>,
) {
    let mut file = open(path);
    let table = GPT::find_from(&mut file).unwrap();
    let range = table.get_partition_byte_range(2).unwrap();
    let range = *range.start()..*range.end() + 1;
    let volume = tempfile::NamedTempFile::new().unwrap();
    file.seek(SeekFrom::Start(range.start)).unwrap();
    let mut part = (&mut file).take(range.end - range.start);
    std::io::copy(&mut part, &mut volume.as_file()).unwrap();
    let label = storage::file_system_label(volume.path()).unwrap();
    ((range, volume), label)
}

/// The place for results as another program finds it, and what fsck.fat says against it.
fn data_partition(path: &Path) -> (std::ops::Range<u64>, Option<String>) {
    let ((range, volume), label) = data_label(path);
    assert_eq!(label.as_deref(), Some("PREFLIGHT"));
    let Ok(checked) = Command::new("fsck.fat")
        .arg("-nv")
        .arg(volume.path())
        .output()
    else {
        eprintln!("skipped: there is no fsck.fat (package dosfstools) to ask");
        return (range, None);
    };
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    (range, (!checked.status.success()).then_some(said))
}

fn boot_files_are_whole(path: &Path) {
    let mut file = open(path);
    let mut bytes = vec![0; 3 << 20];
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0xb0));
    let table = partition_table(path).unwrap();
    assert_eq!(table.len(), 2);
    assert_eq!(
        table[0].uuid.as_deref(),
        Some("01010101-0101-0101-0101-010101010101")
    );
}

#[test]
fn the_place_for_results_gets_the_rest_of_a_larger_disk_and_sgdisk_finds_no_fault() {
    for length in [100 * MIB, 300 * MIB + 512 * 7] {
        let stick = stick(length, &["System Volume Information"]);
        assert!(disk_can_grow(&stick.path).unwrap());
        let Growth::Grown(bytes) = grow_disk(&stick.path) else {
            panic!("not grown");
        };
        assert!(!disk_can_grow(&stick.path).unwrap());
        let (range, complaint) = data_partition(&stick.path);
        assert_eq!(complaint, None);
        assert_eq!(range.end - range.start, bytes);
        assert_eq!(range.start, IMAGE + MIB);
        assert!(range.end > length - 2 * MIB, "{range:?}");
        boot_files_are_whole(&stick.path);
        match Command::new("sgdisk").arg("-v").arg(&stick.path).output() {
            Ok(said) => {
                let said = String::from_utf8_lossy(&said.stdout).into_owned();
                assert!(said.contains("No problems found"), "{said}");
            }
            Err(_) => eprintln!("skipped: there is no sgdisk (package gdisk) to ask"),
        }
        // Two sticks from one image are told apart from now on.
        let id = partition_table(&stick.path).unwrap()[1].uuid.clone();
        assert_ne!(id.as_deref(), Some("02020202-0202-0202-0202-020202020202"));
        assert_eq!(grow_disk(&stick.path), Growth::NotNeeded);
    }
}

#[test]
fn saved_reports_stay_where_they_are() {
    let stick = stick(100 * MIB, &["LAB-0001-1"]);
    let before = fs::read(&stick.path).unwrap();
    assert!(!disk_can_grow(&stick.path).unwrap());
    assert_eq!(grow_disk(&stick.path), Growth::InUse);
    assert!(before == fs::read(&stick.path).unwrap());
}

#[test]
fn what_a_file_system_or_raid_left_where_the_new_place_is_does_not_hide_it() {
    let length = 100 * MIB;
    let end = length - MIB;
    // ext2 by its magic alone, and the superblock of an md array of version 0.90.
    let left: [(&[u8], u64); 2] = [
        (&[0x53, 0xef], IMAGE + MIB + 1024 + 0x38),
        (
            &[0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0, 90, 0, 0, 0],
            end - (64 << 10),
        ),
    ];
    for (bytes, at) in left {
        let stick = stick(length, &[]);
        let leave = || open(&stick.path).write_all_at(bytes, at).unwrap();
        leave();
        assert!(matches!(grow_disk(&stick.path), Growth::Grown(_)));
        let (range, complaint) = data_partition(&stick.path);
        assert_eq!((range, complaint), (IMAGE + MIB..end, None));
        leave();
        assert_eq!(data_label(&stick.path).1, None, "nothing was to be wiped");
    }
}

/// A root folder that is a ring of one cluster, full of deleted entries.
#[test]
fn a_file_system_that_no_image_has_is_left_as_it_is_even_if_its_root_has_no_end() {
    let mut volume = vec![0; 40 << 20];
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(512)
        .volume_label(*b"PREFLIGHT  ");
    fatfs::format_volume(std::io::Cursor::new(&mut volume), options).unwrap();
    let field = |at: usize, bytes: usize| {
        let bytes = volume[at..at + bytes].iter().rev();
        bytes.fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (reserved, fats, length, root) = (field(14, 2), field(16, 1), field(36, 4), field(44, 4));
    for fat in 0..fats {
        let at = (reserved + fat * length) * 512 + root * 4;
        volume[at..at + 4].copy_from_slice(&u32::try_from(root).unwrap().to_le_bytes());
    }
    let at = (reserved + fats * length + root - 2) * 512;
    volume[at..at + 512].fill(0xe5);
    volume.truncate(usize::try_from(DATA.end - DATA.start).unwrap());
    let stick = stick_with(100 * MIB, &volume);
    let before = fs::read(&stick.path).unwrap();

    let (answer, answered) = mpsc::channel();
    let path = stick.path.clone();
    thread::spawn(move || answer.send((disk_can_grow(&path).unwrap(), grow_disk(&path))));
    let answer = answered.recv_timeout(Duration::from_secs(60));
    assert_eq!(answer, Ok((false, Growth::InUse)));
    assert!(before == fs::read(&stick.path).unwrap());
}

#[test]
fn a_disk_that_is_no_larger_copy_of_an_image_is_left_as_it_is() {
    // Filled by its image, hardly larger, and with a table that was moved to its end by a person.
    let moved = stick(100 * MIB, &[]);
    let mut file = open(&moved.path);
    let mut table = GPT::find_from(&mut file).unwrap();
    table.header.update_from(&mut file, 512).unwrap();
    table.write_into(&mut file).unwrap();
    for stick in [stick(IMAGE, &[]), stick(20 * MIB, &[]), moved] {
        let before = fs::read(&stick.path).unwrap();
        assert_eq!(grow_disk(&stick.path), Growth::NotNeeded);
        assert!(before == fs::read(&stick.path).unwrap());
    }
}
