//! The power goes between any two sectors that are written.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use gptman::{GPT, GPTHeader, GPTPartitionEntry};

use super::Growth;
use super::table::{Ids, SECTOR, Span, Table, Write, entries_of};
use crate::partition_table;

const IMAGE: u64 = 12 << 20;
const DISK: u64 = 100 << 20;
/// [`PARTITION_TYPE`](crate::PARTITION_TYPE) as on disk.
const OURS: [u8; 16] = *b"\xb9\xf8\x74\x4c\x13\x57\x4e\x43\xa9\x5c\xcf\x77\xe5\x83\x1d\xbf";
const IDS: Ids = Ids {
    disk: [0xd; 16],
    partition: [0xe; 16],
};

/// A larger disk with the copy of an image, and a handle to it.
fn disk() -> (tempfile::NamedTempFile, File) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut disk = file.reopen().unwrap();
    disk.set_len(IMAGE).unwrap();
    GPT::write_protective_mbr_into(&mut disk, SECTOR).unwrap();
    let mut table = GPT::new_from(&mut disk, SECTOR, [7; 16]).unwrap();
    for (number, kind, first, last) in [(1, [0xb; 16], 2048, 4095), (2, OURS, 4096, 20479)] {
        table[number] = GPTPartitionEntry {
            partition_type_guid: kind,
            unique_partition_guid: kind,
            starting_lba: first,
            ending_lba: last,
            attribute_bits: 0,
            partition_name: "part".into(),
        };
    }
    table.write_into(&mut disk).unwrap();
    disk.set_len(DISK).unwrap();
    (file, disk)
}

fn table_of(disk: &File) -> Table {
    let read = |span: Span| {
        let mut bytes = vec![0; usize::try_from(span.sectors * SECTOR).unwrap()];
        disk.read_exact_at(&mut bytes, span.first * SECTOR).unwrap();
        bytes
    };
    let head = read(Span {
        first: 0,
        sectors: 2,
    });
    let entries = read(entries_of(&head, DISK / SECTOR).unwrap());
    Table::read(&head, &entries, DISK / SECTOR, 2).unwrap()
}

/// Every write in pieces of one sector, which is what a disk does at once.
fn sectors(writes: &[Write]) -> Vec<Write> {
    let pieces = writes.iter().flat_map(|write| {
        let parts = write.bytes.chunks(512).enumerate();
        parts.map(|(index, bytes)| Write {
            sector: write.sector + index as u64,
            bytes: bytes.to_vec(),
        })
    });
    pieces.collect()
}

#[test]
fn at_any_instant_the_first_table_is_whole_and_names_the_old_place_or_the_new_one() {
    let (file, disk) = disk();
    let table = table_of(&disk);
    let (old, new) = (table.place().unwrap(), table.new_place().unwrap());
    let second_of_image = IMAGE / SECTOR - 1;
    assert!(new.first > second_of_image, "{new:?}");
    let writes = sectors(&table.writes(&IDS).unwrap());
    let (mut seen, mut goes_on) = (Vec::new(), 0);
    for write in &writes {
        let inside = |span: Span| (span.first..span.first + span.sectors).contains(&write.sector);
        assert!(!inside(old) && !inside(new) && !(2048..4096).contains(&write.sector));
        disk.write_all_at(&write.bytes, write.sector * SECTOR)
            .unwrap();

        // Without a look at the second table, which a kernel takes only when it is told to.
        let mut reader = &disk;
        std::io::Seek::seek(&mut reader, std::io::SeekFrom::Start(SECTOR)).unwrap();
        let header = GPTHeader::read_from(&mut reader).unwrap();
        let entries = header.read_partitions(&mut reader, SECTOR).unwrap();
        let mut checked = header.clone();
        checked.update_partition_entry_array_crc32(&entries);
        assert_eq!(
            checked.partition_entry_array_crc32,
            header.partition_entry_array_crc32
        );
        assert_eq!(
            (entries[0].starting_lba, entries[0].ending_lba),
            (2048, 4095)
        );
        let place = entries[1].starting_lba;
        assert!(place == old.first || place == new.first);
        assert_eq!(partition_table(file.path()).unwrap().len(), 2);
        if seen.last() != Some(&place) {
            seen.push(place);
        }
        // As long as the old place counts, another start begins again; then it goes on.
        let left = table_of(&disk);
        assert_eq!(place == old.first, left.writes(&IDS).is_some());
        if let Some(rest) = left.rest() {
            assert_eq!(place, new.first);
            assert_eq!(rest, table.writes(&IDS).unwrap()[5..]);
            goes_on += 1;
        }
    }
    assert_eq!(seen, [old.first, new.first]);
    // Behind the header's one sector, the 32 of the entries.
    assert_eq!(goes_on, 1 + 32);
    assert_eq!(table_of(&disk).rest(), None);
    let mut whole = file.reopen().unwrap();
    let end = GPT::read_from(&mut whole, SECTOR).unwrap();
    assert_eq!(end.header.backup_lba, DISK / SECTOR - 1);
    assert_eq!(end.header.disk_guid, IDS.disk);
    assert_eq!(end[2].unique_partition_guid, IDS.partition);
}

#[test]
fn from_the_instant_that_the_new_place_counts_the_next_start_leaves_a_table_without_fault() {
    let (file, disk) = disk();
    let table = table_of(&disk);
    let new = table.new_place().unwrap().first;
    let (mut ends, mut half_grown) = (Vec::new(), Vec::new());
    for write in table.writes(&IDS).unwrap() {
        disk.write_all_at(&write.bytes, write.sector * SECTOR)
            .unwrap();
        let is_half_grown = super::disk_is_half_grown(file.path()).unwrap();
        if partition_table(file.path()).unwrap()[1].start != new {
            assert!(!is_half_grown);
            continue;
        }
        let cut = tempfile::NamedTempFile::new().unwrap();
        fs::copy(file.path(), cut.path()).unwrap();
        half_grown.push(is_half_grown);
        ends.push(super::grow_disk(cut.path(), &mut |_, _| panic!("it has grown")).unwrap());
        assert_eq!(table_of(&File::open(cut.path()).unwrap()).rest(), None);
        ask_sgdisk(cut.path());
    }
    assert_eq!(
        ends,
        [Growth::Completed, Growth::Completed, Growth::NotNeeded]
    );
    assert_eq!(half_grown, [true, true, false]);
}

/// It finds no fault with the table, where there is one to ask.
fn ask_sgdisk(path: &Path) {
    let Ok(said) = Command::new("sgdisk").arg("-v").arg(path).output() else {
        eprintln!("skipped: there is no sgdisk (package gdisk) to ask");
        return;
    };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("No problems found"), "{said}");
}
