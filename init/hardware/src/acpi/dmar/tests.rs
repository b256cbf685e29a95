use super::*;
use crate::acpi::testing::{table, words};

const UNIT: [u8; 16] = [0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0];

fn dmar(flags: u8, structures: &[u8]) -> Vec<u8> {
    let mut body = vec![38, flags];
    body.resize(FIXED - 36, 0);
    body.extend_from_slice(structures);
    table("DMAR", 1, &body)
}

/// A structure: type and its own length before the fields.
fn structure(kind: u8, fields: &[u8]) -> Vec<u8> {
    let length = u8::try_from(fields.len() + 4).unwrap();
    [&[kind, 0, length, 0], fields].concat()
}

#[test]
fn width_flags_and_units_are_read() {
    let dmar = Dmar::parse(&dmar(3, &UNIT)).unwrap();
    assert_eq!(dmar.host_address_width, 39);
    assert_eq!(dmar.flags, Dmar::INTR_REMAP | Dmar::X2APIC_OPT_OUT);
    let unit = RemappingUnit {
        flags: 1,
        size: 0,
        segment: 0,
        register_base: 0xfed9_0000,
        scopes: vec![],
    };
    assert!(unit.includes_all());
    assert_eq!((dmar.units, dmar.problems), (vec![unit], vec![]));
}

#[test]
fn a_scope_keeps_every_hop_of_its_path() {
    let scope = [2, 10, 0, 0, 7, 0x80, 0x1c, 4, 3, 1];
    let range = [&[0, 0, 1, 0][..], &[0; 8], &[0xff, 0x0f], &[0; 6], &scope].concat();
    let dmar = Dmar::parse(&dmar(1, &structure(1, &range))).unwrap();
    assert_eq!(words(&dmar.problems), [""; 0]);
    let reserved = &dmar.reserved_memory[0];
    assert_eq!((reserved.segment, reserved.limit), (1, 0xfff));
    let scope = &reserved.scopes[0];
    assert_eq!(scope.kind, ScopeKind::SubHierarchy);
    assert_eq!((scope.enumeration_id, scope.start_bus), (7, 0x80));
    let hop = |device, function| PathHop { device, function };
    assert_eq!(scope.path, [hop(0x1c, 4), hop(3, 1)]);
}

#[test]
fn all_other_structures_are_read_and_an_unknown_one_is_kept() {
    let scope = [1, 8, 0x1f, 0, 0, 0, 2, 0];
    let structures = [
        structure(2, &[&[1, 0, 2, 0][..], &scope].concat()),
        structure(3, &[&[0; 4][..], &UNIT[8..16], &[5, 0, 0, 0]].concat()),
        structure(4, b"\0\0\0\x02\\_SB.I2C0\0"),
        structure(5, &[&[1, 0, 0, 0][..], &scope].concat()),
        structure(6, &[&[0, 0, 3, 0][..], &scope].concat()),
        structure(9, &[1, 2, 3]),
    ];
    let dmar = Dmar::parse(&dmar(1, &structures.concat())).unwrap();
    assert_eq!(words(&dmar.problems), [""; 0]);
    let ats = &dmar.root_port_ats[0];
    assert_eq!((ats.flags, ats.segment), (RootPortAts::ALL_PORTS, 2));
    let node = ProximityDomain {
        register_base: 0xfed9_0000,
        domain: 5,
    };
    assert_eq!(dmar.proximity, [node]);
    let named = &dmar.namespace_devices[0];
    assert_eq!((named.number, named.name.as_str()), (2, "\\_SB.I2C0"));
    assert_eq!(dmar.soc_caches[0].flags, 1);
    assert_eq!(dmar.soc_properties[0].segment, 3);
    assert_eq!(dmar.soc_properties[0].scopes[0].flags, 0x1f);
    let unknown = dmar.unknown[0];
    assert_eq!((unknown.kind, unknown.length), (9, 7));
}

#[test]
fn a_structure_of_length_zero_ends_the_walk_and_is_named() {
    let dmar = Dmar::parse(&dmar(1, &[&UNIT[..], &[1, 0, 0, 0]].concat())).unwrap();
    assert_eq!(dmar.units.len(), 1);
    assert_eq!(
        words(&dmar.problems),
        ["the structure of type 0x1 at offset 64 has length 0"]
    );
}

#[test]
fn damage_inside_a_structure_does_not_hide_the_next_one() {
    let short = structure(0, &[1, 0, 0]);
    let looping_scope = structure(1, &[&[0; 20][..], &[1, 0, 0, 0, 0, 0, 2, 0]].concat());
    let odd_path = structure(1, &[&[0; 20][..], &[1, 7, 0, 0, 0, 0, 2]].concat());
    let bytes = dmar(1, &[short, looping_scope, odd_path, UNIT.to_vec()].concat());
    let dmar = Dmar::parse(&bytes).unwrap();
    assert_eq!((dmar.units.len(), dmar.reserved_memory.len()), (1, 2));
    assert_eq!(
        words(&dmar.problems),
        [
            "the remapping structure at offset 48 is cut short",
            "the structure of type 0x1 at offset 79 has length 0",
            "8 bytes at offset 79 belong to no field of the remapping structure",
            "1 bytes at offset 117 belong to no field of the device scope",
        ]
    );
}

#[test]
fn a_name_without_its_end_is_named() {
    let dmar = Dmar::parse(&dmar(1, &structure(4, b"\0\0\0\x01AB"))).unwrap();
    assert_eq!(
        words(&dmar.problems),
        ["the ACPI object name at offset 56 does not end in NUL"]
    );
}

#[test]
fn a_wrong_sum_and_a_cut_table_are_problems_and_not_errors() {
    let mut bytes = dmar(1, &UNIT);
    bytes[37] = 0;
    assert_eq!(
        Dmar::parse(&bytes).unwrap().problems,
        [TableProblem::Checksum]
    );
    bytes.truncate(60);
    let problems = words(&Dmar::parse(&bytes).unwrap().problems);
    assert!(
        problems[0].contains("64 bytes long and only 60 are there"),
        "{problems:?}"
    );
    assert!(Dmar::parse(&bytes[..40]).is_err());
}

#[test]
fn a_table_larger_than_any_honest_one_is_read_in_part() {
    let units = UNIT.repeat(5000);
    let dmar = Dmar::parse(&dmar(1, &units)).unwrap();
    assert_eq!(dmar.units.len(), (65536 - 48) / 16);
    let [TableProblem::TooLong { read, .. }] = dmar.problems[..] else {
        panic!("{:?}", dmar.problems)
    };
    assert_eq!(read, 65536);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body: Vec<u8>, cut: usize) {
        let bytes = table("DMAR", 1, &body);
        let _ = Dmar::parse(&body);
        let _ = Dmar::parse(bytes.get(..cut % (bytes.len() + 1)).unwrap());
    }

    #[test]
    fn fields_of_a_hostile_table_never_overlap_and_never_leave_it(
        kinds in proptest::collection::vec((0_u8..8, proptest::collection::vec(0_u8..12, 0..60)), 0..8),
    ) {
        let body: Vec<u8> = kinds.iter().flat_map(|(kind, fields)| structure(*kind, fields)).collect();
        let bytes = dmar(1, &body);
        let (_, trace) = Dmar::trace(&bytes).unwrap();
        let mut end = 0;
        for field in trace {
            proptest::prop_assert!(field.offset >= end);
            end = field.offset + field.length;
        }
        proptest::prop_assert!(end <= bytes.len());
    }
}
