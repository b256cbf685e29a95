use std::ops::Range;

use proptest::prelude::*;

use super::*;

const DISK: u64 = 2 << 20;

#[test]
fn the_checksum_is_the_one_that_everybody_knows() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

/// The first sectors of a disk whose partitions have these first and last sectors, and whose second table ends with
/// sector `other`.
fn head(spans: &[(u64, u64)], other: u64) -> Vec<u8> {
    let mut head = vec![0; 34 * 512];
    head[512..528].copy_from_slice(b"EFI PART\0\0\x01\0\x5c\0\0\0");
    let (before, entries) = head.split_at_mut(1024);
    for (index, (first, last)) in spans.iter().enumerate() {
        put(entries, index * ENTRY + entry::FIRST, &first.to_le_bytes());
        put(entries, index * ENTRY + entry::LAST, &last.to_le_bytes());
    }
    let header = &mut before[512..];
    put(header, header::OWN_LBA, &1_u64.to_le_bytes());
    put(header, header::OTHER_LBA, &other.to_le_bytes());
    put(header, header::ENTRIES_LBA, &2_u64.to_le_bytes());
    put(header, header::ENTRIES, &[128, 0, 0, 0, 128, 0, 0, 0]);
    seal(header, entries);
    head
}

#[test]
fn a_table_with_a_partition_where_entries_stand_in_between_stays_as_it_is() {
    let read = |first| {
        let head = head(&[(first, 3000), (4096, 8191)], 10_000);
        Table::read(&head, DISK, 2).is_some()
    };
    assert!(read(2048) && read(66));
    assert!(!read(65) && !read(64) && !read(34));
}

#[test]
fn a_table_whose_second_one_is_said_to_be_before_or_in_a_partition_stays_as_it_is() {
    let read = |other| {
        let head = head(&[(2048, 3000), (4096, 8191)], other);
        Table::read(&head, DISK, 2).is_some()
    };
    assert!(read(8192));
    for other in [8191, 5000, 3500, 100, 0] {
        assert!(!read(other), "{other}");
    }
}

fn is_apart(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.end <= other.start || other.end <= one.start
}

fn span() -> impl Strategy<Value = (u64, u64)> {
    (0_u64..20_000, 0_u64..4000).prop_map(|(first, length)| (first, first + length))
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(
        head in proptest::collection::vec(any::<u8>(), 0..20_000),
        sectors in any::<u64>(),
        data in any::<u32>(),
    ) {
        prop_assert!(Table::read(&head, sectors, data).is_none());
    }

    #[test]
    fn a_sealed_table_of_any_numbers_is_planned_without_harm(
        numbers in proptest::collection::vec(any::<u64>(), 3),
        sectors in any::<u64>(),
    ) {
        let head = head(&[(numbers[0], numbers[1])], numbers[2]);
        if let Some(table) = Table::read(&head, sectors, 1) {
            let ids = Ids { disk: [1; 16], partition: [2; 16] };
            let writes = table.writes(&ids).unwrap();
            prop_assert!(writes.iter().all(|write| write.sector < sectors));
        }
    }

    #[test]
    fn neither_the_new_place_nor_any_write_touches_a_partition(
        mut spans in proptest::collection::vec(span(), 1..4),
        other in 0_u64..30_000,
        sectors in 100_000_u64..1_000_000,
    ) {
        spans.sort_by_key(|span| span.1);
        let data = u32::try_from(spans.len()).unwrap();
        if let Some(table) = Table::read(&head(&spans, other), sectors, data) {
            let new = table.new_place().unwrap();
            let ids = Ids { disk: [1; 16], partition: [2; 16] };
            let place = new.first..new.first + new.sectors;
            let written: Vec<Range<u64>> = table
                .writes(&ids)
                .unwrap()
                .iter()
                .map(|write| write.sector..write.sector + write.bytes.len() as u64 / SECTOR)
                .collect();
            for range in written.iter().chain([&place]) {
                prop_assert!(range.end <= sectors);
                for (first, last) in &spans {
                    prop_assert!(is_apart(range, &(*first..last + 1)), "{range:?}");
                }
            }
            // The file system is made before the table is written.
            prop_assert!(written.iter().all(|range| is_apart(range, &place)));
        }
    }
}
