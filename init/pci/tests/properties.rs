//! What holds for any bytes, and for any list of capabilities.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use pci::{Capability, ConfigSpace, Decoded, ExtendedCapability, Problem};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

/// Bytes that lead into the lists more often than chance does.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        Just(0xff),
        (0x10_u8..0x40).prop_map(|slot| slot << 2),
        0_u8..0x16,
    ];
    let writes = vec((0_usize..4096, byte), 0..200);
    (vec(any::<u8>(), 1..64), 0_usize..4200, writes, 0_u8..4).prop_map(
        |(fill, length, writes, header)| {
            let mut bytes: Vec<u8> = fill.into_iter().cycle().take(length).collect();
            for (offset, value) in writes.into_iter().chain([(0x06, 0x10), (0x0e, header)]) {
                if let Some(byte) = bytes.get_mut(offset) {
                    *byte = value;
                }
            }
            bytes
        },
    )
}

/// Offsets at which capabilities stand, in list order.
fn places(first: usize, end: usize, most: usize) -> impl Strategy<Value = Vec<usize>> {
    let slots: Vec<usize> = (first..end).step_by(8).collect();
    subsequence(slots, 0..=most).prop_shuffle()
}

#[derive(Debug)]
struct Lists {
    bytes: Vec<u8>,
    conventional: Vec<Capability>,
    extended: Vec<ExtendedCapability>,
}

fn write(conventional: Vec<(usize, u8)>, extended: Vec<(usize, u16, u8)>, fill: &[u8]) -> Lists {
    let mut bytes: Vec<u8> = fill.iter().copied().cycle().take(4096).collect();
    bytes[0x06] |= 0x10;
    bytes[0x0e] = 0;
    let mut pointer = 0x34;
    for (offset, id) in &conventional {
        bytes[pointer] = u8::try_from(*offset).unwrap();
        bytes[*offset] = *id;
        pointer = offset + 1;
    }
    bytes[pointer] = 0;
    bytes[0x100..0x104].fill(0);
    let nexts = extended.iter().skip(1).map(|entry| entry.0).chain([0]);
    for ((offset, id, version), next) in extended.iter().zip(nexts) {
        let next = u32::try_from(next).unwrap();
        let header = u32::from(*id) | u32::from(*version) << 16 | next << 20;
        bytes[*offset..offset + 4].copy_from_slice(&header.to_le_bytes());
    }
    Lists {
        bytes,
        conventional: conventional
            .into_iter()
            .map(|(offset, id)| Capability { id, offset })
            .collect(),
        extended: extended
            .into_iter()
            .map(|(offset, id, version)| ExtendedCapability {
                id,
                version,
                offset,
            })
            .collect(),
    }
}

fn lists() -> impl Strategy<Value = Lists> {
    let conventional = places(0x40, 0x100, 24)
        .prop_flat_map(|places| (Just(places.clone()), vec(0_u8..0x18, places.len())));
    let extended = places(0x108, 0x1000, 60).prop_flat_map(|mut places| {
        places.insert(0, 0x100);
        let entries = vec((1_u16..0x40, 1_u8..16), places.len());
        (Just(places), entries)
    });
    (conventional, extended, vec(any::<u8>(), 1..64)).prop_map(
        |((places, ids), (extended_places, entries), fill)| {
            let extended = extended_places.into_iter().zip(entries);
            write(
                places.into_iter().zip(ids).collect(),
                extended
                    .map(|(place, (id, version))| (place, id, version))
                    .collect(),
                &fill,
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_and_no_walk_goes_on_for_ever(bytes in hostile()) {
        let space = ConfigSpace::new(bytes);
        prop_assert!(space.walk().count() <= 49);
        prop_assert!(space.walk_extended().map_or(0, Iterator::count) <= 961);
        let decoded = Decoded::of(&space);
        for problem in &decoded.problems {
            prop_assert!(!problem.to_string().is_empty());
        }
        let places: Vec<_> = decoded.capabilities.iter().map(|entry| entry.offset).collect();
        let mut once = places.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(places.len(), once.len());
    }

    #[test]
    fn a_list_is_read_back_as_it_was_written(lists in lists()) {
        let space = ConfigSpace::new(lists.bytes);
        prop_assert_eq!(space.capabilities(), lists.conventional.clone());
        prop_assert_eq!(space.extended_capabilities(), Some(lists.extended.clone()));
        for wanted in &lists.conventional {
            let first = lists.conventional.iter().find(|other| other.id == wanted.id);
            prop_assert_eq!(space.find(wanted.id), Some(first.copied()));
        }
        for wanted in &lists.extended {
            let first = lists.extended.iter().find(|other| other.id == wanted.id);
            prop_assert_eq!(space.find_extended(wanted.id), Some(first.copied()));
        }
        let only_layout = Decoded::of(&space).problems.iter().all(|problem| {
            matches!(problem, Problem::Overlap { .. } | Problem::Incomplete { .. })
        });
        prop_assert!(only_layout);
    }

    /// Less that was read can make an answer unknown, never another one.
    #[test]
    fn what_is_cut_off_becomes_unknown_and_never_absent(lists in lists(), cut in any::<Index>()) {
        let whole = ConfigSpace::new(lists.bytes.clone());
        let cut = ConfigSpace::new(lists.bytes[..cut.index(4097)].to_vec());
        macro_rules! hold {
            ($($answer:ident),*) => {
                $(
                    let answer = cut.$answer();
                    prop_assert!(
                        answer.is_none() || answer == whole.$answer(),
                        "{}: {:?} of {} bytes", stringify!($answer), answer, cut.bytes().len()
                    );
                )*
            };
        }
        hold!(
            express, power_management, msi, msix, advanced_features, vendor_specific, acs, acs_egress,
            ari, ats, pasid, page_request, sriov, resizable_bars, vf_resizable_bars, dpc,
            serial_number, virtual_channel, l1_substates, latency_tolerance, subsystem
        );
    }

    #[test]
    fn a_decoded_space_survives_json(lists in lists()) {
        let decoded = Decoded::of(&ConfigSpace::new(lists.bytes));
        let text = serde_json::to_string(&decoded).unwrap();
        prop_assert_eq!(serde_json::from_str::<Decoded>(&text).unwrap(), decoded);
    }
}
