//! What holds for any machine, however its configuration spaces look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hardware::{Function, Machine, Reading};
use pci::{Address, ClassCode, ConfigSpace};
use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;

use crate::testing::*;
use crate::{Override, Platform, Predictor, Term, predict, price};

fn any_address() -> impl Strategy<Value = Address> {
    let domain = prop_oneof![Just(0_u32), Just(1), Just(0x10000)];
    (domain, 0..6_u8, 0..4_u8, 0..8_u8).prop_map(|(domain, bus, device, function)| Address {
        domain,
        bus,
        device,
        function,
    })
}

/// Registers that lead anywhere, with an Express capability of any type and ACS of any kind.
fn any_function() -> impl Strategy<Value = Made> {
    let config = (0..=2_u8, any::<bool>(), 0..16_u8, 0..8_u8, 0..8_u8);
    let acs = prop::option::of((0..0x80_u16, 0..0x80_u16));
    let ids = prop_oneof![
        4 => Just((0x1234_u16, 0x5678_u16)),
        1 => Just((0x1b4b, 0x9123)),
        1 => Just((0x10b5, 0x87b0)),
        1 => Just((0x8086, 0x2954)),
        1 => Just((0x8086, 0x467f)),
        1 => Just((0x8086, 0x1e10)),
        1 => Just((0x8086, 0xa110)),
        1 => Just((0x14e4, 0x9000)),
    ];
    let length =
        prop_oneof![4 => Just(4096_usize), 1 => Just(256), 1 => Just(64), 1 => 0..300_usize];
    let links = (
        prop::option::of(any_address()),
        prop::option::of(any_address()),
    );
    let parts = (any_address(), config, acs, ids, length, links);
    parts.prop_map(
        |(place, config, acs, (vendor, device), length, (parent, physical))| {
            let (header, multifunction, kind, secondary, subordinate) = config;
            let mut made = express(&place.to_string(), header, kind)
                .buses(secondary, subordinate)
                .id(vendor, device);
            if multifunction {
                made = made.multifunction();
            }
            if let Some((capability, control)) = acs {
                made = made.acs(capability, control);
            }
            made.cut(length).change(|function| {
                if let Some(parent) = parent {
                    function.parent = Reading::Known(parent);
                }
                if let Some(physical) = physical.filter(|physical| physical.bus == 3) {
                    function.physical_function = Reading::Known(physical);
                }
            })
        },
    )
}

fn any_machine(size: impl Into<SizeRange>) -> impl Strategy<Value = Machine> {
    (vec(any_function(), size), any::<bool>()).prop_map(|(functions, active)| {
        if active {
            in_use(functions)
        } else {
            machine(functions)
        }
    })
}

fn any_override() -> impl Strategy<Value = Override> {
    let term = prop_oneof![
        Just(Term::Downstream),
        Just(Term::Multifunction),
        Just(Term::Id(pci::FunctionId::new(0x1234, 0x5678))),
    ];
    vec(term, 0..3).prop_map(Override::of)
}

proptest! {
    #[test]
    fn every_function_is_in_one_group_or_uncovered(
        machine in any_machine(0..40),
        requested in any_override(),
    ) {
        let prediction = predict(&machine, &requested);
        let mut seen: BTreeMap<Address, usize> = BTreeMap::new();
        for group in &prediction.groups {
            prop_assert!(!group.functions.is_empty());
            prop_assert!(group.functions.is_sorted());
            for function in &group.functions {
                *seen.entry(*function).or_default() += 1;
            }
        }
        for function in &prediction.ungrouped {
            *seen.entry(*function).or_default() += 1;
        }
        let all: BTreeSet<Address> = machine.functions.iter().map(|f| f.address).collect();
        prop_assert!(seen.values().all(|count| *count == 1));
        prop_assert_eq!(seen.into_keys().collect::<BTreeSet<_>>(), all);
    }

    #[test]
    fn an_override_tried_on_a_part_gives_the_groups_that_it_gives_the_whole(
        machine in any_machine(0..40),
        first in any_override(),
        requested in any_override(),
        uncovered in 0..8_u8,
    ) {
        let platform = Platform {
            covers: &|function| function.address.function != uncovered,
            alias: &|_| None,
        };
        let predictor = Predictor::new(&machine, &first, &platform);
        let whole = predictor.under(&requested, &platform);
        let prediction = whole.prediction();
        let mut mover = predictor.mover(usize::MAX);
        for function in &machine.functions {
            let part = mover.under(&requested, &[function.address]);
            let expected = prediction.group_of(function.address);
            let expected = expected.map(|group| group.functions.as_slice());
            prop_assert_eq!(part.group_of(function.address), expected);
        }
        let declared: Vec<_> = whole.topology().functions().map(|one| one.address).collect();
        let declared = declared.into_iter().filter(|one| {
            whole.acs(*one).is_some_and(|state| state.declared_by.is_some())
        });
        prop_assert_eq!(predictor.declared(&requested), declared.collect::<Vec<_>>());
    }

    #[test]
    fn an_override_put_on_top_gives_what_it_gives_alone(
        machine in any_machine(0..40),
        first in any_override(),
        requested in any_override(),
    ) {
        let predictor = Predictor::new(&machine, &first, &Platform::default());
        let under = predictor.under(&requested, &Platform::default());
        prop_assert_eq!(under.prediction(), predict(&machine, &requested));
        let alone = Predictor::new(&machine, &requested, &Platform::default());
        for function in &machine.functions {
            prop_assert_eq!(under.acs(function.address), alone.acs(function.address));
        }
    }

    #[test]
    fn no_machine_and_no_card_breaks_what_asks_about_them(
        machine in any_machine(0..40),
        requested in any_override(),
        card in vec(any_address(), 0..3),
    ) {
        let predictor = Predictor::new(&machine, &requested, &Platform::default());
        let landings = predictor.landings(&card);
        prop_assert!(landings.len() <= machine.functions.len());
        let paths = machine.functions.iter().map(|function| function.address);
        for function in paths {
            prop_assert!(predictor.topology().path_up(function).count() < 256);
            prop_assert!(predictor.acs(function).is_some());
        }
        let price = price(&machine, &requested);
        prop_assert!(price.split.iter().all(|split| split.parts.len() > 1));
    }

    #[test]
    fn configuration_spaces_of_any_bytes_are_survived(
        spaces in vec((any_address(), vec(any::<u8>(), 0..600)), 0..12),
    ) {
        let functions = spaces.into_iter().map(|(address, bytes)| {
            let mut function = Function::unknown(address, "not looked for");
            function.class = ClassCode(0x06_04_00);
            function.config = Reading::Known(ConfigSpace::new(bytes));
            function
        });
        let machine = Machine { functions: functions.collect(), ..Machine::default() };
        predict(&machine, &Override::NONE);
    }

    #[test]
    fn a_card_that_was_moved_leaves_no_trace(
        machine in any_machine(0..40),
        cards in vec(vec(any_address(), 1..3), 2..5),
    ) {
        let predictor = Predictor::new(&machine, &Override::NONE, &Platform::default());
        let mut mover = predictor.mover(usize::MAX);
        for card in &cards {
            prop_assert_eq!(mover.landings(card), predictor.landings(card));
        }
    }

    #[test]
    fn cards_of_a_board_are_moved_one_after_the_other(board in board()) {
        let machine = in_use(board.functions(None));
        let predictor = Predictor::new(&machine, &Override::NONE, &Platform::default());
        let mut mover = predictor.mover(usize::MAX);
        let once = mover.landings(&board.card());
        prop_assert_eq!(&once, &predictor.landings(&board.card()));
        for function in &machine.functions {
            mover.landings(&[function.address]);
        }
        prop_assert_eq!(once, mover.landings(&board.card()));
    }

    #[test]
    fn a_card_that_is_moved_lands_where_a_machine_built_so_has_it(board in board()) {
        let machine = in_use(board.functions(None));
        let predictor = Predictor::new(&machine, &Override::NONE, &Platform::default());
        let card = board.card();
        let landings = predictor.landings(&card);
        prop_assert_eq!(landings.len(), board.ports.len() - 1);
        for (landing, slot) in landings.iter().zip(1..) {
            let moved = in_use(board.functions(Some(slot)));
            let prediction = predict(&moved, &Override::NONE);
            let bus = moved_bus(slot);
            let mut others: BTreeSet<Address> = BTreeSet::new();
            for function in &card {
                let landed = Address { bus, ..*function };
                others.extend(&prediction.group_of(landed).unwrap().functions);
            }
            others.retain(|other| other.bus != bus);
            prop_assert_eq!(&landing.shares_with, &Vec::from_iter(others));
        }
    }
}

/// A board of slots on one root bus, with a card in each; the one in the first slot is to be moved.
#[derive(Debug)]
struct Board {
    /// Device and function number, and whether it isolates.
    ports: Vec<(u8, u8, bool)>,
    /// For each slot how many functions its card has, and whether they isolate.
    cards: Vec<(u8, bool)>,
}

fn board() -> impl Strategy<Value = Board> {
    let port = (0..3_u8, any::<bool>());
    let card = (0..3_u8, any::<bool>());
    vec((port, card), 2..6).prop_map(|slots| {
        let mut next = [0_u8; 3];
        let mut board = Board {
            ports: Vec::new(),
            cards: Vec::new(),
        };
        for (number, ((device, isolates), (functions, apart))) in slots.into_iter().enumerate() {
            let function = &mut next[usize::from(device)];
            board.ports.push((device + 1, *function, isolates));
            *function += 1;
            let functions = if number == 0 {
                functions.max(1)
            } else {
                functions
            };
            board.cards.push((functions, apart));
        }
        // By address, the first slot's port too: landings come in that order.
        let first = board.ports.remove(0);
        board.ports.sort_unstable();
        board.ports.insert(0, first);
        board
    })
}

fn moved_bus(slot: usize) -> u8 {
    u8::try_from(slot).unwrap() + 1
}

impl Board {
    fn card(&self) -> Vec<Address> {
        (0..self.cards[0].0)
            .map(|function| address(&format!("01:00.{function}")))
            .collect()
    }

    /// With the first card where it is, or in another slot.
    fn functions(&self, moved_to: Option<usize>) -> Vec<Made> {
        let mut made = Vec::new();
        for (slot, (device, function, isolates)) in self.ports.iter().enumerate() {
            let bus = moved_bus(slot);
            let port = root_port(&format!("00:{device:02x}.{function}"), bus).slot(1);
            let port = port.multifunction();
            made.push(if *isolates {
                port.acs(0x1d, 0x1d)
            } else {
                port
            });
            let card = match moved_to {
                Some(to) if to == slot => self.cards[0],
                Some(_) if slot == 0 => continue,
                _ => self.cards[slot],
            };
            for function in 0..card.0 {
                let made_card = endpoint(&format!("{bus:02x}:00.{function}"));
                let made_card = if card.0 > 1 {
                    made_card.multifunction()
                } else {
                    made_card
                };
                made.push(if card.1 {
                    made_card.acs(0x1d, 0x1d)
                } else {
                    made_card
                });
            }
        }
        made
    }
}

/// Every bus full: 16 root ports of 8 functions a device, 15 buses of 256 functions that share ids.
fn large() -> Machine {
    let mut functions = Vec::new();
    for bus in 1..=15_u8 {
        let port = root_port(&format!("00:{:02x}.{}", bus / 8 + 1, bus % 8), bus);
        functions.push(port.multifunction());
        for devfn in 0..=u8::MAX {
            let place = format!("{bus:02x}:{:02x}.{}", devfn >> 3, devfn & 7);
            let made = endpoint(&place).multifunction();
            functions.push(if devfn % 16 == 0 {
                made.id(0x10b5, 0x87b0)
            } else {
                made
            });
        }
    }
    functions.extend(
        (0..0xf0_u8).map(|n| integrated(&format!("f0:{:02x}.{}", n >> 3, n & 7)).multifunction()),
    );
    in_use(functions)
}

#[test]
fn four_thousand_functions_take_thirty_milliseconds() {
    let machine = large();
    assert!(machine.functions.len() > 4_000);
    let start = Instant::now();
    let prediction = predict(&machine, &Override::NONE);
    let took = start.elapsed();
    assert_eq!(prediction.groups.len(), 2 + 30);
    // Without optimisation, beside other tests, it may take longer; what is not linear takes minutes.
    let allowed = if cfg!(debug_assertions) { 3_000 } else { 30 };
    assert!(took < Duration::from_millis(allowed), "{took:?}");
    println!("{} functions: {took:?}", machine.functions.len());
}
