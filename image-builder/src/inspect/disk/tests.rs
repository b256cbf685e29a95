use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::digest::sha256;
use crate::fat::{self as made, Kind, NewFile, Volume};
use crate::gpt::{self, Partition};
use crate::inspect::Content;

const MIB: u64 = 1 << 20;
/// First byte of the partition.
const START: usize = 1 << 20;

fn files() -> Vec<NewFile> {
    let mut kernel = vec![0x5a; 60_000];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    vec![
        NewFile::new("EFI/debian/grub.cfg", "configfile\n"),
        NewFile::new("boot/a file with a long name.txt", vec![3; 5000]),
        NewFile::new("boot/vmlinuz", kernel),
    ]
}

fn disk(kind: Kind, files: &[NewFile]) -> Vec<u8> {
    let length = match kind {
        Kind::Fat16 => 4 * MIB,
        Kind::Fat32 => 36 * MIB,
    };
    let mut disk = Cursor::new(vec![0; usize::try_from(length + 2 * MIB).unwrap()]);
    let partition = Partition {
        kind: EFI_SYSTEM,
        id: Guid(1),
        name: "boot",
        start: MIB,
        length,
    };
    gpt::write(&mut disk, Guid(2), &[partition]).unwrap();
    let volume = Volume {
        kind,
        label: "PREFLIGHT",
        id: 0x1234_5678,
        modified: 0,
    };
    let system = made::file_system(&volume, length, files).unwrap();
    let mut disk = disk.into_inner();
    disk[START..][..system.len()].copy_from_slice(&system);
    disk
}

fn seen(bytes: &[u8]) -> Option<Disk> {
    read(&Source::Bytes(bytes), &mut Budget::default())
}

#[test]
fn files_of_both_kinds_of_fat_come_back_with_their_names_and_digests() {
    for kind in [Kind::Fat16, Kind::Fat32] {
        let disk = seen(&disk(kind, &files())).unwrap();
        assert_eq!(
            (&disk.primary, &disk.backup),
            (&TableCopy::Whole, &TableCopy::Whole)
        );
        let partition = &disk.partitions[0];
        assert_eq!(
            (partition.number, partition.kind.as_str()),
            (1, "EFI system")
        );
        assert_eq!((partition.start, partition.name.as_str()), (MIB, "boot"));
        let fat = partition.fat.as_ref().unwrap();
        assert_eq!(
            (fat.label.as_deref(), fat.id.as_str()),
            (Some("PREFLIGHT"), "1234-5678")
        );
        assert_eq!(fat.broken, None);
        assert_eq!(fat.files.len(), 3);
        for (seen, made) in fat.files.iter().zip(files()) {
            assert_eq!(seen.path, made.path);
            assert_eq!(seen.sha256.as_deref(), Some(sha256(&made.content).as_str()));
        }
        assert!(matches!(fat.files[2].content, Some(Content::Kernel(_))));
    }
}

#[test]
fn a_table_of_clusters_as_long_as_a_huge_file_is_not_read_as_a_whole() {
    const LENGTH: u64 = 1 << 40;
    const SECTORS: u32 = 0xffff_fff0;
    let mut sector = [0; 512];
    sector[11..13].copy_from_slice(&512_u16.to_le_bytes());
    sector[13..17].copy_from_slice(&[1, 1, 0, 1]);
    sector[32..36].copy_from_slice(&SECTORS.to_le_bytes());
    // All but a hundred thousand sectors: two terabytes.
    sector[36..40].copy_from_slice(&(SECTORS - 100_000).to_le_bytes());
    sector[44] = 2;
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &sector).unwrap();
    file.set_len(4 * LENGTH).unwrap();
    let source = Source::of_file(&file).unwrap();
    let fat = Fat::open(&source, 0, 4 * LENGTH).unwrap();
    assert_eq!((fat.kind, fat.walk().files.len()), ("FAT32", 0));
}

#[test]
fn a_manifest_larger_than_any_is_not_read_and_that_is_said() {
    let large = [NewFile::new(
        crate::medium::MANIFEST,
        vec![b' '; (4 << 20) + 1],
    )];
    let bytes = disk(Kind::Fat32, &large);
    let fat = seen(&bytes).unwrap().partitions[0].fat.clone().unwrap();
    assert_eq!(
        fat.differences,
        ["/licenses/manifest.json of 4194305 bytes is no manifest: nothing is compared with it"]
    );
}

#[test]
fn a_disk_whose_first_table_is_damaged_is_read_by_the_last_one_and_says_so() {
    let mut bytes = disk(Kind::Fat16, &files());
    bytes[1024 + 32] ^= 1;
    let disk = seen(&bytes).unwrap();
    let TableCopy::Damaged(why) = &disk.primary else {
        panic!("{disk:?}");
    };
    assert!(why.contains("checksum of its entries"), "{why}");
    assert_eq!(disk.backup, TableCopy::Whole);
    assert_eq!(disk.partitions[0].start, MIB);
}

#[test]
fn a_disk_that_was_cut_misses_its_last_table() {
    let mut bytes = disk(Kind::Fat16, &files());
    bytes.truncate(bytes.len() - 512);
    let disk = seen(&bytes).unwrap();
    assert_eq!(disk.primary, TableCopy::Whole);
    assert!(matches!(disk.backup, TableCopy::Damaged(_)));
}

#[test]
fn what_has_no_partition_table_is_no_disk() {
    assert_eq!(seen(&vec![0; 1 << 20]), None);
    assert_eq!(seen(&[]), None);
}

#[test]
fn boot_code_is_none_where_the_first_sector_has_none_and_grubs_where_it_names_its_core() {
    let mut bytes = disk(Kind::Fat16, &[]);
    assert_eq!(seen(&bytes).unwrap().boot_code, None);
    bytes[0x180..0x185].copy_from_slice(b"GRUB ");
    bytes[0x5c..0x64].copy_from_slice(&2048_u64.to_le_bytes());
    let grub = BootCode::Grub {
        core: MIB,
        partition: None,
        file: None,
    };
    assert_eq!(seen(&bytes).unwrap().boot_code, Some(grub));
}

/// What makes an entry one of a folder.
const FOLDER: u8 = 0x10;

/// Where the first table of clusters begins: behind one sector, or thirty-two.
fn table_start(bytes: &[u8]) -> usize {
    let start = START;
    start + 512 * usize::from(u16::from_le_bytes([bytes[start + 14], bytes[start + 15]]))
}

#[test]
fn folders_and_files_whose_clusters_go_in_a_circle_are_left() {
    let mut bytes = disk(Kind::Fat16, &files());
    let table = table_start(&bytes);
    // Every cluster is followed by the second, which is that of the folder EFI, and that holds nothing but itself.
    for entry in bytes[table + 4..table + 4096].chunks_exact_mut(2) {
        entry.copy_from_slice(&2_u16.to_le_bytes());
    }
    let folder = bytes
        .windows(11)
        .position(|name| name == b".          ")
        .unwrap();
    for entry in bytes[folder..folder + 512].chunks_exact_mut(32) {
        entry.fill(0);
        entry[..11].copy_from_slice(b"AGAIN      ");
        entry[11] = FOLDER;
        entry[26] = 2;
    }
    let fat = seen(&bytes).unwrap().partitions[0].fat.clone().unwrap();
    assert!(fat.broken.is_some());
}

#[test]
fn a_file_whose_clusters_end_early_is_unreadable_and_the_others_are_not() {
    let mut bytes = disk(
        Kind::Fat16,
        &[NewFile::new("a", vec![1; 5000]), NewFile::new("b", [2])],
    );
    let table = table_start(&bytes);
    bytes[table + 4..table + 6].copy_from_slice(&0xffff_u16.to_le_bytes());
    let fat = seen(&bytes).unwrap().partitions[0].fat.clone().unwrap();
    let readable: Vec<_> = fat.files.iter().map(|file| file.sha256.is_some()).collect();
    assert_eq!(readable, [false, true]);
}

/// An archive with a file of this length, without packing.
fn initramfs(length: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = cpio::newc::Builder::new("bin/sh").mode(0o100_755);
    let mut writer = writer.write(&mut bytes, length);
    std::io::Write::write_all(&mut writer, &vec![7; length as usize]).unwrap();
    writer.finish().unwrap();
    cpio::newc::trailer(&mut bytes).unwrap();
    bytes
}

#[test]
fn all_images_on_a_disk_together_unpack_to_no_more_than_one_look_may() {
    let images = ["a.img", "b.img"].map(|name| NewFile::new(name, initramfs(60_000)));
    let bytes = disk(Kind::Fat16, &images);
    let broken = |budget: u64| {
        let disk = read(&Source::Bytes(&bytes), &mut Budget::of(budget, 0)).unwrap();
        let files = disk.partitions[0].fat.clone().unwrap().files;
        let broken = files.into_iter().map(|file| match file.content {
            Some(Content::Initramfs(initramfs)) => initramfs.broken,
            other => panic!("{other:?}"),
        });
        broken.collect::<Vec<_>>()
    };
    assert_eq!(broken(200_000), [None, None]);
    let [None, Some(why)] = &broken(100_000)[..] else {
        panic!("the second one does not fit");
    };
    assert!(why.contains("unpack to more than"), "{why}");
}

#[test]
fn partitions_in_one_place_are_read_once_as_far_as_the_disk_is_large() {
    let file = NewFile::new("large", vec![3; 3 << 20]);
    let mut bytes = disk(Kind::Fat16, &[file]);
    // The first table: its header is in sector 1, its 128 entries from sector 2 on.
    for number in 1..3 {
        bytes.copy_within(1024..1152, 1024 + number * 128);
    }
    let sum = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum().to_le_bytes()
    };
    let entries = sum(&bytes[1024..1024 + 128 * 128]);
    bytes[512 + 88..][..4].copy_from_slice(&entries);
    bytes[512 + 16..][..4].fill(0);
    let header = sum(&bytes[512..512 + 92]);
    bytes[512 + 16..][..4].copy_from_slice(&header);
    let disk = seen(&bytes).unwrap();
    let read = disk.partitions.iter().map(|partition| {
        let fat = partition.fat.as_ref().unwrap();
        fat.files[0].sha256.is_some()
    });
    assert_eq!(read.collect::<Vec<_>>(), [true, true, false]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damage_to_tables_boot_sectors_and_folders_does_not_panic(
        damage in proptest::collection::vec((0usize..5, 0usize..4096, any::<u8>()), 1..12),
    ) {
        let mut bytes = disk(Kind::Fat16, &files());
        let start = START;
        let places = [0, bytes.len() - 4096, start, table_start(&bytes), start + 16_384];
        for (place, offset, byte) in damage {
            let offset = if place == 2 { offset % 64 } else { offset };
            bytes[places[place] + offset] = byte;
        }
        seen(&bytes);
    }
}
