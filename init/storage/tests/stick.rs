//! Partition tables and labels of real images, made by other programs' code than the one that reads them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use fatfs::{FormatVolumeOptions, format_volume};
use gptman::{GPT, GPTPartitionEntry};
use storage::{PARTITION_TYPE, VOLUME_LABEL, file_system_label, partition_table};

/// A GUID as GPT stores it: the first three fields little-endian.
fn mixed_endian(guid: &str) -> [u8; 16] {
    let digits: String = guid.chars().filter(|letter| *letter != '-').collect();
    let mut bytes: Vec<u8> = (0..16)
        .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    bytes[0..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes.try_into().unwrap()
}

fn gpt_image(path: &Path, kind: &str, unique: [u8; 16]) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .unwrap();
    file.set_len(8 << 20).unwrap();
    GPT::write_protective_mbr_into(&mut file, 512).unwrap();
    let mut table = GPT::new_from(&mut file, 512, [7; 16]).unwrap();
    table[2] = GPTPartitionEntry {
        partition_type_guid: mixed_endian(kind),
        unique_partition_guid: unique,
        starting_lba: 2048,
        ending_lba: 8191,
        attribute_bits: 0,
        partition_name: "PREFLIGHT".into(),
    };
    table.write_into(&mut file).unwrap();
}

#[test]
fn a_gpt_gives_type_and_partuuid_of_each_partition() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stick.img");
    gpt_image(
        &path,
        PARTITION_TYPE,
        mixed_endian("11223344-5566-7788-99aa-bbccddeeff00"),
    );
    let table = partition_table(&path).unwrap();
    assert_eq!(table.len(), 1);
    assert_eq!(table[0].number, 2);
    assert_eq!(table[0].kind, PARTITION_TYPE);
    assert_eq!(
        table[0].uuid.as_deref(),
        Some("11223344-5566-7788-99aa-bbccddeeff00")
    );
}

#[test]
fn an_empty_disk_has_no_partitions_and_no_label() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.img");
    File::create(&path).unwrap().set_len(8 << 20).unwrap();
    assert_eq!(partition_table(&path).unwrap(), []);
    assert_eq!(file_system_label(&path).unwrap(), None);
}

#[test]
fn a_broken_partition_table_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.img");
    gpt_image(&path, PARTITION_TYPE, [9; 16]);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut noise = vec![0; 512];
    file.seek(SeekFrom::Start(512)).unwrap();
    file.read_exact(&mut noise).unwrap();
    noise[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
    for place in [SeekFrom::Start(512), SeekFrom::End(-512)] {
        file.seek(place).unwrap();
        file.write_all(&noise).unwrap();
    }
    assert!(
        partition_table(&path)
            .unwrap()
            .iter()
            .all(|entry| entry.kind != PARTITION_TYPE)
    );
}

#[test]
fn the_label_of_a_fat_file_system_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fat.img");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.set_len(16 << 20).unwrap();
    let options = FormatVolumeOptions::new().volume_label(*b"PREFLIGHT  ");
    format_volume(&mut file, options).unwrap();
    assert_eq!(
        file_system_label(&path).unwrap().as_deref(),
        Some(VOLUME_LABEL)
    );
}
