use std::ops::Range;

use proptest::prelude::*;

use super::*;

const DISK: u64 = 2 << 20;
const IDS: Ids = Ids {
    disk: [1; 16],
    partition: [2; 16],
};

#[test]
fn the_checksum_is_the_one_that_everybody_knows() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

/// Boot sector and header, and so many entries, of a disk whose partitions have these first and last sectors, and
/// whose second table ends with sector `other`.
fn table_of(spans: &[(u64, u64)], other: u64, count: u32) -> (Vec<u8>, Vec<u8>) {
    let mut head = vec![0; 1024];
    let mut entries = vec![0; usize::try_from(count).unwrap() * ENTRY];
    head[512..528].copy_from_slice(b"EFI PART\0\0\x01\0\x5c\0\0\0");
    for (index, (first, last)) in spans.iter().enumerate() {
        let at = index * ENTRY;
        put(&mut entries, at + entry::FIRST, &first.to_le_bytes());
        put(&mut entries, at + entry::LAST, &last.to_le_bytes());
    }
    let header = &mut head[512..];
    put(header, header::OWN_LBA, &1_u64.to_le_bytes());
    put(header, header::OTHER_LBA, &other.to_le_bytes());
    put(header, header::ENTRIES_LBA, &2_u64.to_le_bytes());
    put(header, header::ENTRIES, &count.to_le_bytes());
    put(header, header::ENTRY_SIZE, &128_u32.to_le_bytes());
    seal(header, &entries);
    (head, entries)
}

#[test]
fn a_table_is_taken_whose_entries_have_room_in_front_of_the_first_partition() {
    let read = |first, count| {
        let (head, entries) = table_of(&[(first, 3000), (4096, 8191)], 10_000, count);
        Table::read(&head, &entries, DISK, 2).is_some()
    };
    assert!(read(2048, 128) && read(34, 128) && !read(33, 128));
    assert!(read(64, 248) && !read(63, 248));
    assert!(!read(2048, 127) && !read(2048, 257));
}

#[test]
fn a_table_whose_second_one_is_said_to_be_before_or_in_a_partition_stays_as_it_is() {
    let grows = |other| {
        let (head, entries) = table_of(&[(2048, 3000), (4096, 8191)], other, 128);
        let table = Table::read(&head, &entries, DISK, 2).unwrap();
        table.writes(&IDS).is_some() || table.rest().is_some()
    };
    assert!(grows(8192));
    for other in [8191, 5000, 3500, 100, 0] {
        assert!(!grows(other), "{other}");
    }
}

fn is_apart(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.end <= other.start || other.end <= one.start
}

fn span() -> impl Strategy<Value = (u64, u64)> {
    (1_u64..20_000, 0_u64..4000).prop_map(|(first, length)| (first, first + length))
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(
        head in proptest::collection::vec(any::<u8>(), 0..2000),
        entries in proptest::collection::vec(any::<u8>(), 0..20_000),
        sectors in any::<u64>(),
        data in any::<u32>(),
    ) {
        prop_assert!(Table::read(&head, &entries, sectors, data).is_none());
    }

    #[test]
    fn a_sealed_table_of_any_numbers_is_planned_without_harm(
        fields in proptest::collection::vec(prop_oneof![any::<u64>(), 0..5000_u64], 4),
        entry in proptest::collection::vec(any::<u8>(), ENTRY),
        is_any in any::<bool>(),
        sectors in prop_oneof![any::<u64>(), 0..3_000_000_u64],
    ) {
        let (mut head, mut entries) = table_of(&[(2048, 3000), (4096, 8191)], 10_000, 128);
        if is_any {
            entries[..ENTRY].copy_from_slice(&entry);
        }
        let header = &mut head[512..];
        put(header, header::OTHER_LBA, &fields[0].to_le_bytes());
        put(header, header::LAST_USABLE, &fields[1].to_le_bytes());
        put(header, header::ENTRIES_LBA, &fields[2].to_le_bytes());
        seal(header, &entries);
        for data in 1..=2 {
            let Some(table) = Table::read(&head, &entries, sectors, data) else { continue };
            let writes = table.writes(&IDS).into_iter().chain(table.rest());
            prop_assert!(writes.flatten().all(|write| write.sector < sectors));
        }
    }

    #[test]
    fn neither_the_new_place_nor_any_write_touches_a_partition(
        mut spans in proptest::collection::vec(span(), 1..4),
        other in 0_u64..30_000,
        is_large in any::<bool>(),
        away in prop_oneof![Just(2_u64), 2..30_000_u64],
        sectors in 100_000_u64..1_000_000,
    ) {
        spans.sort_by_key(|span| span.1);
        let data = u32::try_from(spans.len()).unwrap();
        let other = if away == 2 { other } else { sectors - 1 };
        let (mut head, entries) = table_of(&spans, other, if is_large { 248 } else { 128 });
        let header = &mut head[512..];
        put(header, header::ENTRIES_LBA, &away.to_le_bytes());
        seal(header, &entries);
        if let Some(table) = Table::read(&head, &entries, sectors, data) {
            let place = table.new_place().map(|new| new.first..new.end());
            let ranges = |writes: Vec<Write>| -> Vec<Range<u64>> {
                let range = |write: Write| write.sector..write.sector + (write.bytes.len() as u64).div_ceil(SECTOR);
                writes.into_iter().map(range).collect()
            };
            let written: Vec<Range<u64>> = table.writes(&IDS).map(ranges).unwrap_or_default();
            let rest = table.rest().map(ranges).unwrap_or_default();
            for range in written.iter().chain(&place).chain(&rest) {
                prop_assert!(range.end <= sectors);
                for (first, last) in &spans {
                    prop_assert!(is_apart(range, &(*first..last + 1)), "{range:?}");
                }
            }
            // The file system is made before the table is written.
            if let Some(place) = place {
                prop_assert!(written.iter().all(|range| is_apart(range, &place)));
            }
        }
    }
}
