use hardware::{Link, LinkRate, Machine, Reading};

use crate::testing::*;
use crate::{Attachment, Landing, Override, Platform, Predictor};

const ALL: u16 = 0x1d;

fn landings(machine: &Machine, card: &[&str]) -> Vec<Landing> {
    let predictor = Predictor::new(machine, &Override::NONE, &Platform::default());
    let card: Vec<_> = card.iter().map(|place| address(place)).collect();
    predictor.landings(&card)
}

/// Each port with what the card would share a group with there.
fn shares(machine: &Machine, card: &[&str]) -> Vec<(String, Vec<String>)> {
    let landings = landings(machine, card).into_iter();
    landings
        .map(|landing| {
            let others = landing.shares_with.into_iter().map(short).collect();
            (short(landing.port), others)
        })
        .collect()
}

fn expected(pairs: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |others: &[&str]| others.iter().map(|other| (*other).to_owned()).collect();
    pairs
        .iter()
        .map(|(port, others)| ((*port).to_owned(), owned(others)))
        .collect()
}

/// A card of two functions behind a port that shares with another port; an empty slot that isolates; a slot
/// with a card behind a switch.
fn board() -> Vec<Made> {
    vec![
        root_port("00:01.0", 1).multifunction().slot(1),
        root_port("00:01.1", 2).slot(2),
        root_port("00:03.0", 3).slot(3).acs(ALL, ALL),
        root_port("00:04.0", 4).buses(4, 7).acs(ALL, ALL),
        endpoint("01:00.0").multifunction(),
        endpoint("01:00.1"),
        endpoint("02:00.0"),
        upstream("04:00.0", 5).buses(5, 7),
        downstream("05:00.0", 6).slot(6),
        downstream("05:01.0", 7),
        endpoint("06:00.0"),
        endpoint("07:00.0"),
    ]
}

#[test]
fn a_card_shares_in_each_slot_with_the_ports_group_but_for_what_leaves_the_slot() {
    let machine = in_use(board());
    assert_eq!(
        shares(&machine, &["01:00.0", "01:00.1"]),
        expected(&[
            ("00:01.1", &["00:01.0", "00:01.1"]),
            ("00:03.0", &[]),
            ("05:00.0", &["05:00.0"]),
        ])
    );
    assert_eq!(
        shares(&machine, &["06:00.0"]),
        expected(&[
            ("00:01.0", &["00:01.0", "00:01.1", "02:00.0"]),
            ("00:01.1", &["00:01.0", "00:01.1", "01:00.0", "01:00.1"]),
            ("00:03.0", &[]),
        ])
    );
}

#[test]
fn neither_a_port_further_up_nor_one_that_holds_the_chipset_is_another_slot() {
    let ports = |switch: u16, card: &str| -> Vec<String> {
        let mut functions = board();
        functions[3] = functions[3].clone().slot(4);
        functions[7] = functions[7].clone().id(0x1022, switch);
        let landings = landings(&in_use(functions), &[card]).into_iter();
        landings.map(|landing| short(landing.port)).collect()
    };
    assert_eq!(ports(0x43e9, "06:00.0"), ["00:01.0", "00:01.1", "00:03.0"]);
    assert_eq!(ports(0x43e9, "01:00.0"), ["00:01.1", "00:03.0", "05:00.0"]);
    // A card's own switch leaves with it.
    assert_eq!(
        ports(0x1478, "01:00.0"),
        ["00:01.1", "00:03.0", "00:04.0", "05:00.0"]
    );
}

#[test]
fn a_landing_says_what_leaves_and_what_the_slot_is() {
    let mut functions = board();
    let link = |width| Link {
        current: LinkRate {
            speed: 2.5,
            width: 1,
        },
        max: LinkRate { speed: 16.0, width },
    };
    functions[1] = functions[1]
        .clone()
        .id(0x8086, 0x1905)
        .change(|port| port.link = Reading::Known(link(8)));
    functions[8] = functions[8].clone().words(0x4c, &[0x0043, 0]);
    functions[6] = functions[6]
        .clone()
        .change(|card| card.slot = Reading::Known("PCIEX16_2".into()));
    let machine = in_use(functions);
    let landings = landings(&machine, &["01:00.0"]);
    let second = &landings[0];
    assert_eq!(second.slot.as_deref(), Some("PCIEX16_2"));
    assert_eq!(second.slot_number, Some(2));
    assert_eq!(second.occupants, [address("02:00.0")]);
    assert_eq!(second.link.unwrap().width, 8);
    assert_eq!(second.attachment, Attachment::Processor);
    let empty = &landings[1];
    let in_switch = landings[2].link.unwrap();
    assert_eq!((in_switch.speed, in_switch.width), (8.0, 4));
    assert_eq!((&empty.slot, empty.slot_number), (&None, Some(3)));
    assert_eq!((empty.occupants.len(), empty.link), (0, None));
    assert_eq!(empty.attachment, Attachment::Unknown);
    assert!(empty.doubts.is_empty());
}

#[test]
fn a_port_without_a_slot_is_no_place_for_a_card_unless_the_board_names_it() {
    let ports = |machine: &Machine| -> Vec<String> {
        let landings = landings(machine, &["06:00.0"]).into_iter();
        landings.map(|landing| short(landing.port)).collect()
    };
    let machine = |change: fn(&mut hardware::Function)| {
        let mut functions = board();
        functions[11] = functions[11].clone().change(change);
        in_use(functions)
    };
    let slots = ["00:01.0", "00:01.1", "00:03.0"];
    assert_eq!(ports(&machine(|_| {})), slots);
    let named = machine(|function| function.slot = Reading::Known("M2".into()));
    assert_eq!(ports(&named), ["00:01.0", "00:01.1", "00:03.0", "05:01.0"]);
}

#[test]
fn where_only_a_listing_tells_a_port_with_a_card_is_a_slot() {
    let mut machine = in_use(board());
    for function in &mut machine.functions {
        let listing = hardware::Listing {
            port_type: function.port_type(),
            buses: function.bridge_buses(),
            acs: function.acs(),
        };
        function.listing = Reading::Known(listing);
        function.config = Reading::Unknown("not printed".into());
    }
    let landings = landings(&machine, &["06:00.0"]);
    let ports: Vec<String> = landings.iter().map(|landing| short(landing.port)).collect();
    // Not the port that leads to the board's own switch, nor the empty one.
    assert_eq!(ports, ["00:01.0", "00:01.1", "05:01.0"]);
}

#[test]
fn a_card_with_a_switch_of_its_own_moves_as_a_whole() {
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 3).slot(1),
        upstream("01:00.0", 2).buses(2, 3).id(0x1002, 0x1478),
        downstream("02:00.0", 3).id(0x1002, 0x1479).slot(0),
        endpoint("03:00.0").multifunction(),
        endpoint("03:00.1"),
        root_port("00:02.0", 4).slot(2).acs(ALL, ALL),
        root_port("00:03.0", 5).slot(3),
        endpoint("05:00.0"),
    ]);
    assert_eq!(
        groups(&machine),
        "00:01.0 01:00.0 02:00.0 03:00.0 03:00.1 | 00:02.0 | 00:03.0 05:00.0"
    );
    let card = ["03:00.0", "03:00.1"];
    assert_eq!(
        shares(&machine, &card),
        expected(&[("00:02.0", &[]), ("00:03.0", &["00:03.0"])])
    );
}

#[test]
fn a_cards_own_switch_isolates_only_as_far_as_the_port_above_it_does() {
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 3).slot(1).acs(ALL, ALL),
        upstream("01:00.0", 2).buses(2, 3).id(0x1002, 0x1478),
        downstream("02:00.0", 3).id(0x1002, 0x1479).acs(ALL, ALL),
        endpoint("03:00.0"),
        root_port("00:02.0", 4).slot(2).acs(ALL, ALL),
        root_port("00:03.0", 5).slot(3),
    ]);
    assert_eq!(
        shares(&machine, &["03:00.0"]),
        expected(&[("00:02.0", &[]), ("00:03.0", &["00:03.0"])])
    );
}

#[test]
fn what_is_in_no_slot_of_pci_express_cannot_be_moved() {
    let machine = in_use([
        integrated("00:02.0"),
        conventional_bridge("00:1e.0", 1),
        conventional("01:01.0"),
        root_port("00:01.0", 2).slot(2),
        endpoint("09:00.0"),
    ]);
    for place in ["00:02.0", "01:01.0", "09:00.0", "0f:00.0"] {
        assert_eq!(landings(&machine, &[place]), [], "{place}");
    }
    assert_eq!(landings(&machine, &[]), []);
}

#[test]
fn a_slot_whose_port_was_not_read_is_uncertain_and_others_are_not() {
    let machine = machine([
        root_port("00:01.0", 1).slot(1).acs(ALL, 0),
        root_port("00:02.0", 2).slot(2).short(),
        root_port("00:03.0", 3).slot(3).acs(ALL, 0),
        endpoint("01:00.0").multifunction(),
        endpoint("01:00.1"),
    ]);
    let landings = landings(&machine, &["01:00.0", "01:00.1"]);
    let doubts: Vec<Vec<String>> = landings
        .iter()
        .map(|landing| {
            landing
                .doubts
                .iter()
                .map(|doubt| short(doubt.function))
                .collect()
        })
        .collect();
    assert_eq!(doubts, [vec!["00:02.0".to_owned()], vec![]]);
    assert_eq!(landings[0].shares_with, [address("00:02.0")]);
}

#[test]
fn a_slot_whose_group_is_uncertain_is_uncertain() {
    let machine = machine([
        root_port("00:01.0", 1).slot(1).acs(ALL, 0),
        root_port("00:02.0", 2).slot(2).multifunction(),
        root_port("00:02.1", 3).short(),
        endpoint("01:00.0"),
    ]);
    let landings = landings(&machine, &["01:00.0"]);
    assert_eq!(landings[0].shares_with, ["00:02.0", "00:02.1"].map(address));
    assert_eq!(landings[0].doubts[0].function, address("00:02.1"));
}

#[test]
fn a_card_that_no_iommu_covers_has_no_group_anywhere() {
    let machine = in_use(board());
    let covers = |function: &hardware::Function| function.address.bus != 6;
    let platform = Platform {
        covers: &covers,
        ..Platform::default()
    };
    let predictor = Predictor::new(&machine, &Override::NONE, &platform);
    let landings = predictor.landings(&[address("06:00.0")]);
    assert_eq!(landings.len(), 3);
    assert!(
        landings
            .iter()
            .all(|landing| landing.shares_with.is_empty())
    );
}

#[test]
fn after_a_card_was_moved_all_is_as_before() {
    let machine = machine(board());
    let predictor = Predictor::new(&machine, &Override::NONE, &Platform::default());
    let mut mover = predictor.mover(usize::MAX);
    let before = format!("{:?}", mover.trial);
    assert!(!mover.landings(&[address("01:00.0")]).is_empty());
    assert_eq!(format!("{:?}", mover.trial), before);
}
