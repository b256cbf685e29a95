use std::collections::BTreeMap;

use hardware::{Group, Machine, Reading};
use pci::AcsBits;

use super::*;
use crate::testing::*;
use crate::{Override, Platform, Predictor};

mod quirks;

const ALL: u16 = 0x1d;

fn state_under(machine: &Machine, place: &str, requested: &Override) -> AcsState {
    let predictor = Predictor::new(machine, requested, &Platform::default());
    predictor.acs(address(place)).unwrap().clone()
}

fn state(machine: &Machine, place: &str) -> AcsState {
    state_under(machine, place, &Override::NONE)
}

fn isolates(machine: &Machine, place: &str) -> Isolation {
    state(machine, place).isolates()
}

/// Whether a function alone on its machine isolates.
fn alone(made: Made) -> Isolation {
    let place = made.function.address.to_string();
    isolates(&in_use([made]), &place)
}

fn is_unknown(isolation: &Isolation) -> bool {
    matches!(isolation, Isolation::Unknown(_))
}

#[test]
fn each_kind_of_function_has_its_rule() {
    use Isolation::{No, Yes};
    // Type, header, alone without the capability, one of several without it, one of several with it.
    let kinds = [
        (0, 0, Yes, No, Yes),
        (1, 0, Yes, No, Yes),
        (4, 1, No, No, Yes),
        (5, 1, Yes, No, Yes),
        (6, 1, No, No, Yes),
        (7, 1, No, No, No),
        (8, 1, No, No, No),
        (9, 0, Yes, No, Yes),
        (10, 0, No, No, No),
        (12, 0, Yes, Yes, Yes),
    ];
    for (kind, header, single, multi, with_acs) in kinds {
        let made = || express("00:05.0", header, kind);
        assert_eq!(alone(made()), single, "type {kind}");
        assert_eq!(
            alone(made().multifunction()),
            multi,
            "type {kind}, multifunction"
        );
        let able = made().multifunction().acs(ALL, ALL);
        assert_eq!(alone(able), with_acs, "type {kind}, multifunction with ACS");
    }
    assert_eq!(alone(conventional("00:05.0")), No);
    assert_eq!(alone(conventional("00:05.0").acs(ALL, ALL)), No);
}

#[test]
fn each_service_is_told_by_its_own_bit() {
    for service in AcsService::ALL {
        let port = root_port("00:01.0", 1).acs(ALL, ALL & !service.bit());
        let state = state(&in_use([port]), "00:01.0");
        for other in AcsService::ALL {
            let expected = if other == service {
                Isolation::No
            } else {
                Isolation::Yes
            };
            assert_eq!(
                *state.service(other),
                expected,
                "{service:?} off, {other:?}"
            );
        }
        assert_eq!(state.isolates(), Isolation::No);
    }
    let bits: Vec<u16> = AcsService::ALL.map(AcsService::bit).into();
    assert_eq!(bits, [0x01, 0x04, 0x08, 0x10]);
}

#[test]
fn what_does_not_isolate_weighs_more_than_what_is_not_known() {
    use Isolation::{No, Unknown, Yes};
    let unknown = || Unknown("why".into());
    let other = || Unknown("another".into());
    assert_eq!(Yes.and(&Yes), Yes);
    assert_eq!(Yes.and(&No), No);
    assert_eq!(No.and(&Yes), No);
    assert_eq!(unknown().and(&No), No);
    assert_eq!(No.and(&unknown()), No);
    assert_eq!(Yes.and(&unknown()), unknown());
    assert_eq!(unknown().and(&Yes), unknown());
    assert_eq!(unknown().and(&other()), unknown());
    assert!(Yes.is_yes() && !No.is_yes() && !unknown().is_yes());
}

#[test]
fn a_kernel_that_uses_its_iommu_shows_in_units_or_groups() {
    let port = || root_port("00:01.0", 1).acs(ALL, 0);
    let basis = |change: fn(&mut Machine)| {
        let mut machine = machine([port()]);
        change(&mut machine);
        let state = state(&machine, "00:01.0");
        assert_eq!(state.isolates().is_yes(), state.basis == Basis::Capability);
        state.basis
    };
    assert_eq!(basis(|_| {}), Basis::Capability);
    assert_eq!(
        basis(|machine| machine.iommu_units = Reading::Known(vec![])),
        Basis::Capability
    );
    assert_eq!(
        basis(|machine| machine.groups = Reading::Known(vec![])),
        Basis::Capability
    );
    assert_eq!(
        basis(|machine| machine.iommu_units = Reading::Known(vec!["ivhd0".into()])),
        Basis::Control
    );
    assert_eq!(
        basis(|machine| {
            machine.groups = Reading::Known(vec![Group {
                id: 0,
                functions: vec![],
                reserved_regions: Reading::Absent,
            }]);
        }),
        Basis::Control
    );
    assert_eq!(
        basis(|machine| machine.functions[0].group = Reading::Known(7)),
        Basis::Control
    );
}

#[test]
fn what_the_kernel_has_yet_to_switch_on_is_not_known_to_be_on_now() {
    let now = |machine: &Machine, place: &str| {
        let state = state(machine, place);
        AcsService::ALL.map(|service| state.now(service))
    };
    let unknown = || Isolation::Unknown(IOMMU_OFF.into());
    let port = || root_port("00:01.0", 1).acs(0x0d, 0x0d);
    // Upstream forwarding is hard-wired there.
    let off = [unknown(), unknown(), unknown(), Isolation::Yes];
    assert_eq!(now(&machine([port()]), "00:01.0"), off);
    let on = [const { Isolation::Yes }; 4];
    assert_eq!(now(&in_use([port()]), "00:01.0"), on);
    let without = [const { Isolation::No }; 4];
    assert_eq!(now(&machine([root_port("00:01.0", 1)]), "00:01.0"), without);
    // No register decides about a function alone in its device, or one that a quirk vouches for.
    let alone = endpoint("00:05.0").acs(0x0d, 0);
    assert_eq!(now(&machine([alone.clone()]), "00:05.0"), on);
    let vouched = alone.multifunction().id(0x8086, 0x1521);
    assert_eq!(now(&machine([vouched]), "00:05.0"), on);
}

#[test]
fn registers_that_were_not_read_leave_every_service_unknown() {
    let state = state(&in_use([root_port("00:01.0", 1).short()]), "00:01.0");
    for service in AcsService::ALL {
        assert!(is_unknown(state.service(service)));
    }
    assert!(is_unknown(&alone(root_port("00:01.0", 1).cut(64))));
    // Only one of several needs them.
    assert!(is_unknown(&alone(
        endpoint("00:05.0").multifunction().short()
    )));
    assert_eq!(alone(endpoint("00:05.0").short()), Isolation::Yes);
}

#[test]
fn a_printed_listing_tells_what_a_configuration_space_would() {
    let listed = |port_type, acs| {
        let mut machine = in_use([root_port("00:01.0", 1)]);
        let function = &mut machine.functions[0];
        function.config = Reading::Absent;
        function.listing = Reading::Known(hardware::Listing {
            port_type,
            buses: Reading::Absent,
            acs,
        });
        isolates(&machine, "00:01.0")
    };
    let registers = |control| {
        Reading::Known(pci::Acs {
            capability: AcsBits(ALL),
            control: AcsBits(control),
        })
    };
    let port = || Reading::Known(PortType::RootPort);
    assert_eq!(listed(port(), registers(ALL)), Isolation::Yes);
    assert_eq!(listed(port(), registers(0x0d)), Isolation::No);
    assert_eq!(listed(port(), Reading::Absent), Isolation::No);
    assert_eq!(listed(Reading::Absent, registers(ALL)), Isolation::No);
    let unread = listed(port(), Reading::Unknown("not printed".into()));
    assert_eq!(unread, Isolation::Unknown("not printed".into()));
}

#[test]
fn an_override_leaves_what_has_acs_to_its_registers() {
    let requested = "downstream,id:1234:5678".parse().unwrap();
    let of = |machine: Machine| state_under(&machine, "00:01.0", &requested);
    let without = of(in_use([root_port("00:01.0", 1)]));
    assert_eq!(without.isolates(), Isolation::Yes);
    assert_eq!(without.declared_by.unwrap().to_string(), "id:1234:5678");
    let with = of(in_use([root_port("00:01.0", 1).acs(ALL, 0)]));
    assert_eq!((with.isolates(), with.declared_by), (Isolation::No, None));
    // Not read: isolated either way with the IOMMU off; open with it on.
    let unread = of(machine([root_port("00:01.0", 1).short()]));
    assert_eq!(
        (unread.isolates(), unread.declared_by),
        (Isolation::Yes, None)
    );
    let unread = of(in_use([root_port("00:01.0", 1).short()]));
    assert!(is_unknown(&unread.isolates()));
}
