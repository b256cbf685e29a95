use crate::testing::*;
use crate::{Doubt, Override, Prediction, predict};
use hardware::{Machine, Reading};

const ALL: u16 = 0x1d;

fn plain(machine: &Machine) -> Prediction {
    predict(machine, &Override::NONE)
}

/// The functions about which something is not known, of the group that has this function.
fn doubted(prediction: &Prediction, function: &str) -> Vec<String> {
    let group = prediction.group_of(address(function)).unwrap();
    assert_eq!(group.is_certain(), group.doubts.is_empty());
    let mut places: Vec<String> = group
        .doubts
        .iter()
        .map(|doubt| short(doubt.function))
        .collect();
    places.dedup();
    places
}

#[test]
fn a_port_of_which_256_bytes_were_read_does_not_isolate_and_its_group_is_uncertain() {
    let prediction = plain(&machine([
        root_port("00:01.0", 1).short(),
        root_port("00:02.0", 2),
        endpoint("01:00.0"),
        endpoint("02:00.0"),
    ]));
    assert_eq!(text(&prediction), "00:01.0 01:00.0 | 00:02.0 02:00.0");
    assert_eq!(doubted(&prediction, "01:00.0"), ["00:01.0"]);
    assert_eq!(doubted(&prediction, "02:00.0"), [""; 0]);
    let unknown: Vec<&Doubt> = prediction.unknown().into_iter().collect();
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0].why.contains("only 256 bytes"), "{unknown:?}");
}

#[test]
fn a_port_that_was_not_read_leaves_open_what_one_above_it_decides() {
    let machine = |root: Made| {
        machine([
            root.buses(1, 3),
            upstream("01:00.0", 2).buses(2, 3),
            downstream("02:00.0", 3).short(),
            endpoint("03:00.0"),
        ])
    };
    let open = plain(&machine(root_port("00:01.0", 1)));
    assert_eq!(text(&open), "00:01.0 01:00.0 02:00.0 03:00.0");
    assert_eq!(doubted(&open, "03:00.0"), [""; 0]);
    let isolating = plain(&machine(root_port("00:01.0", 1).acs(ALL, ALL)));
    assert_eq!(text(&isolating), "00:01.0 | 01:00.0 | 02:00.0 03:00.0");
    assert_eq!(doubted(&isolating, "03:00.0"), ["02:00.0"]);
    assert_eq!(doubted(&isolating, "01:00.0"), [""; 0]);
    let unread_above = plain(&machine(root_port("00:01.0", 1).short()));
    assert_eq!(doubted(&unread_above, "01:00.0"), ["00:01.0", "02:00.0"]);
}

#[test]
fn what_is_not_known_of_a_function_counts_only_where_it_has_a_peer() {
    let prediction = |functions: Vec<Made>| {
        let port = root_port("00:01.0", 1).acs(ALL, ALL);
        plain(&machine([port].into_iter().chain(functions)))
    };
    let first = || endpoint("01:00.0").multifunction();
    let alone = prediction(vec![first().short()]);
    assert_eq!(doubted(&alone, "01:00.0"), [""; 0]);
    let beside_isolating = prediction(vec![first().short(), endpoint("01:00.1").acs(ALL, 0)]);
    assert_eq!(text(&beside_isolating), "00:01.0 | 01:00.0 | 01:00.1");
    assert_eq!(doubted(&beside_isolating, "01:00.0"), [""; 0]);
    let beside_plain = prediction(vec![first().short(), endpoint("01:00.1")]);
    assert_eq!(text(&beside_plain), "00:01.0 | 01:00.0 01:00.1");
    assert_eq!(doubted(&beside_plain, "01:00.1"), ["01:00.0"]);
    let both = prediction(vec![first().short(), endpoint("01:00.1").short()]);
    assert_eq!(doubted(&both, "01:00.1"), ["01:00.0", "01:00.1"]);
}

#[test]
fn a_function_that_answers_with_all_ones_is_alone_behind_a_port_that_isolates() {
    let prediction = plain(&machine([
        root_port("00:01.0", 1).acs(ALL, ALL),
        endpoint("01:00.0").gone(),
    ]));
    assert_eq!(text(&prediction), "00:01.0 | 01:00.0");
    assert!(prediction.unknown().is_empty());
}

#[test]
fn a_bridge_of_which_only_the_header_was_read_is_taken_for_one_that_shares_its_id() {
    let prediction = plain(&machine([
        root_port("00:01.0", 1).buses(1, 2).acs(ALL, ALL),
        express_to_pci("01:00.0", 2).cut(64),
        conventional("02:00.0"),
        conventional("02:01.0"),
    ]));
    assert_eq!(text(&prediction), "00:01.0 | 01:00.0 02:00.0 02:01.0");
    assert_eq!(doubted(&prediction, "02:01.0"), ["01:00.0"]);
}

#[test]
fn what_is_below_an_unseen_bridge_stays_together_and_is_uncertain() {
    let prediction = plain(&machine([
        endpoint("01:00.0").multifunction(),
        endpoint("01:00.1").acs(ALL, ALL),
        endpoint("02:00.0"),
        upstream("03:00.0", 4),
        downstream("04:00.0", 5).buses(5, 5).acs(ALL, ALL),
    ]));
    assert_eq!(
        text(&prediction),
        "01:00.0 01:00.1 | 02:00.0 | 03:00.0 04:00.0"
    );
    assert_eq!(doubted(&prediction, "01:00.0"), ["01:00.0", "01:00.1"]);
    assert_eq!(doubted(&prediction, "04:00.0"), ["03:00.0", "04:00.0"]);
    let why = &prediction.group_of(address("02:00.0")).unwrap().doubts[0].why;
    assert_eq!(
        why,
        "0000:02:00.0 needs a port above it, and none leads to bus 0000:02"
    );
}

#[test]
fn a_command_line_that_takes_acs_away_makes_what_has_it_uncertain_while_the_iommu_is_off() {
    let functions = || {
        [
            root_port("00:01.0", 1).acs(ALL, 0),
            root_port("00:02.0", 2),
            endpoint("01:00.0"),
            endpoint("02:00.0"),
        ]
    };
    for parameter in [
        "pci=disable_acs_redir=0000:00:01.0",
        "pci=config_acs=x0@0000:00:01.0",
    ] {
        let with = |mut machine: Machine| {
            machine.kernel.command_line = Reading::Known(format!("quiet {parameter}"));
            plain(&machine)
        };
        let off = with(machine(functions()));
        assert_eq!(doubted(&off, "00:01.0"), ["00:01.0"]);
        assert_eq!(doubted(&off, "00:02.0"), [""; 0]);
        let why = &off.group_of(address("00:01.0")).unwrap().doubts[0].why;
        assert!(
            why.contains("disable_acs_redir=") || why.contains("config_acs="),
            "{why}"
        );
        let on = with(in_use(functions()));
        assert!(on.unknown().is_empty());
    }
    let mut plain_line = machine(functions());
    plain_line.kernel.command_line = Reading::Known("pci=noats".to_owned());
    assert!(plain(&plain_line).unknown().is_empty());
}

#[test]
fn a_function_that_is_listed_twice_counts_once() {
    let mut machine = machine([root_port("00:01.0", 1), endpoint("01:00.0")]);
    let twice = machine.functions.clone();
    machine.functions.extend(twice);
    machine.functions.reverse();
    assert_eq!(groups(&machine), "00:01.0 01:00.0");
}

#[test]
fn a_function_outside_the_machine_is_in_no_group() {
    let prediction = plain(&machine([conventional("00:01.0")]));
    assert!(prediction.group_of(address("00:02.0")).is_none());
    assert_eq!(text(&plain(&Machine::default())), "");
}

#[test]
fn an_override_declares_what_it_names_and_nothing_that_has_acs() {
    let machine = in_use([
        root_port("00:01.0", 1).multifunction().id(0x8086, 1),
        root_port("00:01.1", 2).acs(ALL, 0),
        endpoint("01:00.0").multifunction().id(0x10de, 1),
        endpoint("01:00.1").id(0x10de, 2),
        endpoint("02:00.0"),
    ]);
    let under = |requested| groups_under(&machine, requested);
    let all = "00:01.0 00:01.1 01:00.0 01:00.1 02:00.0";
    assert_eq!(under("none"), all);
    assert_eq!(
        under("downstream"),
        "00:01.0 | 00:01.1 02:00.0 | 01:00.0 01:00.1"
    );
    assert_eq!(under("multifunction"), all);
    assert_eq!(
        under("downstream,multifunction"),
        "00:01.0 | 00:01.1 02:00.0 | 01:00.0 | 01:00.1"
    );
    assert_eq!(
        under("id:8086:0001,id:10de:0001"),
        "00:01.0 | 00:01.1 02:00.0 | 01:00.0 | 01:00.1"
    );
    assert_eq!(under("id:8086:0002"), all);
}

#[test]
fn an_override_never_parts_a_conventional_bus() {
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 2),
        express_to_pci("01:00.0", 2).id(0x1b21, 0x1080),
        conventional("02:01.0").id(0x1234, 1),
        conventional("02:02.0").id(0x1234, 2),
        conventional("00:02.0").multifunction().id(0x1234, 3),
        conventional("00:02.1").id(0x1234, 3),
    ]);
    let apart = "00:01.0 | 00:02.0 00:02.1 | 01:00.0 02:01.0 02:02.0";
    assert_eq!(groups_under(&machine, "downstream,multifunction"), apart);
    assert_eq!(
        groups_under(
            &machine,
            "downstream,id:1234:0001,id:1234:0003,id:1b21:1080"
        ),
        apart
    );
}
