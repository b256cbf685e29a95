//! Whatever firmware writes, the resolution ends and stays inside the machine.

use hardware::{Machine, Reading};
use pci::Address;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Reach, Tables};
use crate::testing::tables::{amd_unit, dmar, ivmd, ivrs, rmrr, scope, unit};
use crate::testing::{Builder, function};

/// Few places, so that scopes meet functions.
fn place() -> impl Strategy<Value = Address> {
    (0_u8..4, 0_u8..3, 0_u8..2).prop_map(|(bus, device, function)| Address {
        domain: 0,
        bus,
        device,
        function,
    })
}

fn machine() -> impl Strategy<Value = Machine> {
    let parent = prop_oneof![
        place().prop_map(Reading::Known),
        Just(Reading::Absent),
        Just(Reading::Unknown("not copied".into())),
    ];
    let class = prop_oneof![Just(0x06_04_00), Just(0x03_00_00), Just(0x02_00_00)];
    vec((place(), class, parent), 0..16).prop_map(|functions| {
        let mut machine = Builder::good().machine;
        machine.functions = functions
            .into_iter()
            .map(|(place, class, parent)| {
                let mut function = function(&place.to_string(), class);
                function.parent = parent;
                function
            })
            .collect();
        machine.functions.sort_by_key(|function| function.address);
        machine.functions.dedup_by_key(|function| function.address);
        machine
    })
}

fn scopes() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one = (0_u8..5, 0_u8..4, vec(0_u8..3, 0..8));
    vec(
        one.prop_map(|(kind, bus, path)| scope(kind, 0, bus, &path)),
        0..3,
    )
}

fn intel_table() -> impl Strategy<Value = Vec<u8>> {
    let unit = (any::<u8>(), any::<u64>(), scopes()).prop_map(|(f, at, s)| unit(f, at, &s));
    let range = (any::<u64>(), any::<u64>(), scopes()).prop_map(|(from, to, s)| rmrr(from, to, &s));
    vec(prop_oneof![unit, range], 0..6).prop_map(|structures| dmar(1, &structures))
}

fn amd_table() -> impl Strategy<Value = Vec<u8>> {
    let unit = (any::<u16>(), vec(any::<u8>(), 0..40)).prop_map(|(id, e)| amd_unit(id, &e));
    let ids = (0_u16..0x400, 0_u16..0x400);
    let memory = (0x20_u8..0x23, any::<u8>(), ids, any::<u64>(), any::<u64>());
    let memory =
        memory.prop_map(|(kind, flags, ids, base, length)| ivmd(kind, flags, ids, base, length));
    vec(prop_oneof![unit, memory], 0..6).prop_map(|blocks| ivrs(&blocks))
}

proptest! {
    #[test]
    fn every_function_gets_an_answer_and_no_other_is_named(
        mut machine in machine(),
        signature in prop_oneof![
            intel_table().prop_map(|bytes| ("DMAR", bytes)),
            amd_table().prop_map(|bytes| ("IVRS", bytes)),
        ],
    ) {
        let (name, bytes) = signature;
        let tables = [(name.to_owned(), Reading::Known(bytes))];
        machine.tables = Reading::Known(tables.into());
        let reach = Reach::of(&machine, &Tables::of(&machine));
        let there: Vec<_> = machine.functions.iter().map(|function| function.address).collect();
        prop_assert!(reach.coverage.keys().eq(&there));
        for range in &reach.reserved {
            prop_assert!(range.functions.is_sorted());
            prop_assert!(range.functions.iter().all(|function| there.contains(function)));
        }
        // And the rules live with it.
        let assessment = crate::assess(&machine, None, &crate::NoNames);
        let covered = assessment.iommu.unit_details.iter().flat_map(|unit| &unit.functions);
        prop_assert!(covered.count() <= there.len());
    }
}
