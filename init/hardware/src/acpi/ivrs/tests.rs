use super::*;
use crate::acpi::testing::{table, words};

fn block(kind: u8, device_id: u8, entries: &[u8]) -> Vec<u8> {
    let header = if kind == 0x10 { 24 } else { 40 };
    let length = u8::try_from(header + entries.len()).unwrap();
    let mut block = vec![kind, 0, length, 0, device_id, 0, 0x40, 0, 0, 0, 0xd8, 0xfe];
    block.resize(header, 0);
    block.extend(entries);
    block
}

fn memory(kind: u8, flags: u8, first: u16, last: u16) -> Vec<u8> {
    let mut block = vec![kind, flags, 32, 0];
    block.extend([first.to_le_bytes(), last.to_le_bytes()].concat());
    block.extend([&[0; 8][..], &0x1f00_0000_u64.to_le_bytes(), &[0, 0x10]].concat());
    block.resize(32, 0);
    block
}

fn ivrs(blocks: &[Vec<u8>]) -> Ivrs {
    let mut body = 0x0020_3043_u32.to_le_bytes().to_vec();
    body.resize(FIXED - 36, 0);
    body.extend(blocks.concat());
    Ivrs::parse(&table("IVRS", 2, &body)).unwrap()
}

#[test]
fn an_iommu_that_three_blocks_describe_is_one() {
    let unknown = vec![0x51, 0, 8, 0, 1, 2, 3, 4];
    let ivrs = ivrs(&[
        block(0x10, 2, &[]),
        unknown,
        block(0x11, 2, &[]),
        block(0x40, 2, &[]),
        block(0x10, 3, &[]),
    ]);
    assert_eq!(words(&ivrs.problems), [""; 0]);
    let kinds = |unit: &AmdIommu| {
        unit.blocks
            .iter()
            .map(|block| block.kind)
            .collect::<Vec<_>>()
    };
    let units: Vec<_> = ivrs
        .units
        .iter()
        .map(|unit| (unit.device_id, kinds(unit)))
        .collect();
    let all = vec![BlockKind::Legacy, BlockKind::Extended, BlockKind::Mixed];
    assert_eq!(units, [(2, all), (3, vec![BlockKind::Legacy])]);
    assert_eq!(ivrs.units[0].register_base, 0xfed8_0000);
    assert_eq!(ivrs.units[0].best().unwrap().kind, BlockKind::Mixed);
    let unknown = ivrs.unknown[0];
    assert_eq!((unknown.kind, unknown.length), (0x51, 8));
}

#[test]
fn what_all_units_have_in_common_is_in_the_info_word() {
    let info = ivrs(&[]).iv_info;
    assert!(info.has_extended_features() && info.dma_remapping_opt_in());
    assert_eq!(info.physical_address_width(), 48);
    assert_eq!(info.virtual_address_width(), 64);
}

#[test]
fn every_kind_of_entry_is_read_and_stands_for_its_requesters() {
    let entries = [
        &[0, 0, 0, 0][..],
        &[1, 0, 0, 0],
        &[2, 0x10, 1, 0xd7],
        &[3, 0, 2, 0, 4, 0xff, 2, 0],
        &[0x42, 0, 3, 0, 0, 0xa5, 0, 0],
        &[0x43, 0, 4, 0, 0, 0xa4, 0, 0, 4, 0xff, 4, 0],
        &[0x46, 0, 5, 0, 1, 0, 0, 0x80],
        &[0x47, 0, 6, 0, 1, 0, 0, 0, 4, 1, 6, 0],
        &[0x48, 0, 0, 0, 33, 1, 0, 1],
        b"\xf0\xa5\x00\x40AMDI0020\0\0\0\0\0\0\0\0\x02\x04FUR0",
        &[0x80; 16],
    ];
    let ivrs = ivrs(&[block(0x40, 2, &entries.concat())]);
    assert_eq!(words(&ivrs.problems), [""; 0]);
    let best = ivrs.units[0].best().unwrap();
    assert_eq!(best.entries.len(), 14);
    let DeviceEntry::AcpiDevice {
        hardware_id,
        unique_id,
        ..
    } = &best.entries[12]
    else {
        panic!("{:?}", best.entries)
    };
    assert_eq!(hardware_id, "AMDI0020");
    assert_eq!(*unique_id, AcpiUid::Text("FUR0".into()));
    assert_eq!(best.entries[13], DeviceEntry::Unknown { kind: 0x80 });
    let ranges: Vec<_> = best
        .ranges()
        .iter()
        .map(|range| (range.first, range.last, range.alias))
        .collect();
    assert_eq!(
        ranges,
        [
            (0, 0xffff, None),
            (0x110, 0x110, None),
            (0x200, 0x2ff, None),
            (0x300, 0x300, Some(0xa5)),
            (0x400, 0x4ff, Some(0xa4)),
            (0x500, 0x500, None),
            (0x600, 0x601, None),
            (0x0001, 0x0001, None),
            (0x00a5, 0x00a5, None),
        ]
    );
}

#[test]
fn half_a_range_and_an_entry_that_runs_out_are_named() {
    let entries = [4, 1, 0, 0, 3, 0, 0, 0, 3, 0, 1, 0, 0x48, 0, 0, 0];
    let ivrs = ivrs(&[block(0x10, 2, &entries)]);
    assert_eq!(
        words(&ivrs.problems),
        [
            "the device range at offset 72 lacks its start or its end",
            "the device range at offset 76 lacks its start or its end",
            "the structure of type 0x48 at offset 84 has length 8",
            "4 bytes at offset 84 belong to no field of the IVRS block",
        ]
    );
    assert_eq!(ivrs.units[0].best().unwrap().ranges(), []);
}

#[test]
fn memory_definitions_say_for_whom_and_how() {
    let ivrs = ivrs(&[
        memory(0x20, MemoryFlags::UNITY, 0, 0),
        memory(0x21, MemoryFlags::EXCLUSION, 0x200, 0),
        memory(0x22, MemoryFlags::READ, 0x100, 0x1ff),
    ]);
    assert_eq!(words(&ivrs.problems), [""; 0]);
    let [all, one, range] = ivrs.memory[..] else {
        panic!("{:?}", ivrs.memory)
    };
    assert!(all.requesters.has(0x1234) && all.flags.is_mapped());
    assert!(one.requesters.has(0x200) && !one.requesters.has(0x201) && one.flags.is_mapped());
    assert!(range.requesters.has(0x1ff) && !range.requesters.has(0x200));
    assert!(!range.flags.is_mapped());
    assert_eq!((one.base, one.length), (0x1f00_0000, 0x1000));
}

#[test]
fn a_block_that_runs_past_the_end_is_named() {
    let mut long = block(0x10, 2, &[]);
    long[2] = 200;
    assert_eq!(
        words(&ivrs(&[long]).problems),
        ["the structure of type 0x10 at offset 48 has length 200"]
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body: Vec<u8>, cut: usize) {
        let bytes = table("IVRS", 2, &body);
        let _ = Ivrs::parse(&body);
        let _ = Ivrs::parse(bytes.get(..cut % (bytes.len() + 1)).unwrap());
    }

    #[test]
    fn any_entries_of_a_unit_are_read_without_panic_and_inside_the_table(entries in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let mut body = vec![0; FIXED - 36];
        body.extend(block(0x11, 2, &entries));
        let bytes = table("IVRS", 2, &body);
        let (ivrs, trace) = Ivrs::trace(&bytes).unwrap();
        for unit in &ivrs.units {
            unit.best().unwrap().ranges();
        }
        let mut end = 0;
        for field in trace {
            proptest::prop_assert!(field.offset >= end);
            end = field.offset + field.length;
        }
        proptest::prop_assert!(end <= bytes.len());
    }
}
