use super::*;
use crate::testing::*;

fn bus(number: u8) -> Bus {
    Bus { domain: 0, number }
}

fn above(machine: &Machine, number: u8) -> Above {
    let topology = Topology::of(machine);
    topology.above(bus(number)).unwrap().clone()
}

fn unseen(machine: &Machine, number: u8) -> String {
    match above(machine, number) {
        Above::Unseen(why) => why,
        other => panic!("{other:?}"),
    }
}

fn places(functions: impl IntoIterator<Item = Address>) -> Vec<String> {
    functions.into_iter().map(short).collect()
}

#[test]
fn a_path_leads_up_from_bridge_to_bridge() {
    let machine = machine([
        root_port("00:01.0", 1).buses(1, 4),
        upstream("01:00.0", 2).buses(2, 4),
        downstream("02:00.0", 3),
        downstream("02:01.0", 4),
        endpoint("03:00.0"),
        endpoint("04:00.0"),
    ]);
    let topology = Topology::of(&machine);
    let path = topology
        .path_up(address("04:00.0"))
        .map(|bridge| bridge.address);
    assert_eq!(places(path), ["02:01.0", "01:00.0", "00:01.0"]);
    assert_eq!(topology.path_up(address("00:01.0")).count(), 0);
    let below = topology.below(address("01:00.0"));
    assert_eq!(places(below), ["02:00.0", "02:01.0", "03:00.0", "04:00.0"]);
    assert!(topology.below(address("03:00.0")).is_empty());
    assert_eq!(topology.buses_behind(address("02:01.0")), [bus(4)]);
    let buses: Vec<(Bus, &Above)> = topology.buses().collect();
    assert_eq!(buses.len(), 5);
    assert_eq!(buses[0], (bus(0), &Above::Root));
    assert_eq!(buses[2], (bus(2), &Above::Bridge(address("01:00.0"))));
    assert_eq!(topology.functions().count(), 6);
    assert!(topology.function(address("05:00.0")).is_none());
    assert_eq!(bus(1).to_string(), "0000:01");
}

#[test]
fn virtual_functions_come_behind_all_others_of_their_bus() {
    let machine = machine([
        root_port("00:01.0", 1).buses(1, 1),
        endpoint("01:00.0").multifunction(),
        endpoint("01:00.1").change(|function| {
            function.physical_function = Reading::Known(address("01:00.0"));
        }),
        endpoint("01:00.2"),
    ]);
    let topology = Topology::of(&machine);
    let on_bus = topology.on_bus(bus(1)).map(|function| function.address);
    assert_eq!(places(on_bus), ["01:00.0", "01:00.2", "01:00.1"]);
}

#[test]
fn what_sysfs_says_stands_over_bus_numbers() {
    let machine = machine([
        root_port("00:01.0", 1),
        root_port("00:02.0", 2),
        endpoint("01:00.0").parent("00:02.0"),
    ]);
    assert_eq!(above(&machine, 1), Above::Bridge(address("00:02.0")));
}

#[test]
fn a_parent_that_leads_nowhere_upward_is_not_believed() {
    let port = || root_port("00:01.0", 1);
    let expected = Above::Bridge(address("00:01.0"));
    for parent in ["01:00.1", "02:00.0", "0001:00:01.0"] {
        let machine = machine([port(), endpoint("01:00.0").parent(parent)]);
        assert_eq!(above(&machine, 1), expected, "{parent}");
    }
}

#[test]
fn a_named_parent_that_is_not_listed_is_unseen() {
    let machine = machine([endpoint("01:00.0").parent("00:01.0")]);
    let why = unseen(&machine, 1);
    assert_eq!(
        why,
        "bridge 0000:00:01.0 above bus 0000:01 is not among the functions"
    );
}

#[test]
fn a_bus_hangs_on_the_nearest_bridge_that_has_it_behind() {
    let machine = machine([
        root_port("00:01.0", 1).buses(1, 9),
        upstream("01:00.0", 2).buses(2, 5),
        downstream("02:00.0", 3).buses(3, 4),
        endpoint("04:00.0"),
        endpoint("05:00.0"),
        endpoint("09:00.0"),
        endpoint("0a:00.0"),
    ]);
    assert_eq!(above(&machine, 4), Above::Bridge(address("02:00.0")));
    assert_eq!(above(&machine, 5), Above::Bridge(address("01:00.0")));
    assert_eq!(above(&machine, 9), Above::Bridge(address("00:01.0")));
    assert!(unseen(&machine, 10).contains("needs a port above it"));
}

#[test]
fn a_bridge_that_leads_back_or_nowhere_leads_to_no_bus() {
    for (secondary, subordinate) in [(0, 0), (1, 0), (1, 9), (2, 1)] {
        let bridge = conventional_bridge("01:01.0", 0).buses(secondary, subordinate);
        let machine = machine([conventional("00:01.0"), bridge, conventional("02:01.0")]);
        assert_eq!(
            above(&machine, 1),
            Above::Root,
            "{secondary} to {subordinate}"
        );
        assert_eq!(
            above(&machine, 2),
            Above::Root,
            "{secondary} to {subordinate}"
        );
    }
    // Of two that claim one bus the first has it.
    let machine = machine([
        root_port("00:01.0", 1),
        root_port("00:02.0", 1),
        endpoint("01:00.0"),
    ]);
    assert_eq!(above(&machine, 1), Above::Bridge(address("00:01.0")));
}

#[test]
fn a_bus_that_nothing_leads_to_is_a_root_bus_where_its_functions_show_it() {
    let on_bus = |made: Made| above(&machine([made]), 0x80);
    assert_eq!(on_bus(root_port("80:01.0", 0x81)), Above::Root);
    assert_eq!(on_bus(integrated("80:01.0")), Above::Root);
    assert_eq!(on_bus(express("80:01.0", 0, 10)), Above::Root);
    assert_eq!(
        on_bus(conventional("80:00.0").class(0x06_00_00)),
        Above::Root
    );
    let read = conventional("80:00.0").change(|function| function.parent = Reading::Absent);
    assert_eq!(on_bus(read), Above::Root);
    for unlike in [0x06_04_00, 0x02_00_00, 0x06_01_00] {
        let found = on_bus(conventional("80:00.0").class(unlike));
        assert!(matches!(found, Above::Unseen(_)), "{unlike:06x}");
    }
}

#[test]
fn a_bus_that_nothing_leads_to_is_below_an_unseen_bridge_where_its_functions_need_one() {
    let needs = [
        endpoint("80:00.0"),
        express("80:00.0", 0, 1),
        upstream("80:00.0", 0x81),
        downstream("80:00.0", 0x81),
        express_to_pci("80:00.0", 0x81),
    ];
    for made in needs {
        let why = unseen(&machine([conventional("00:00.0"), made]), 0x80);
        assert!(why.contains("0000:80:00.0 needs a port"), "{why}");
    }
}

#[test]
fn a_bus_of_conventional_functions_is_a_root_bus_where_every_bridge_was_read() {
    let uncore = || conventional("ff:08.0").class(0x08_80_00);
    let complete = machine([conventional("00:00.0"), root_port("00:01.0", 1), uncore()]);
    assert_eq!(above(&complete, 0xff), Above::Root);
    let unread = root_port("00:01.0", 1).cut(12);
    let why = unseen(&machine([conventional("00:00.0"), unread, uncore()]), 0xff);
    assert!(
        why.contains("the bus numbers of bridge 0000:00:01.0"),
        "{why}"
    );
    let other = conventional("00:01.0").cut(12);
    assert_eq!(above(&machine([other, uncore()]), 0xff), Above::Root);
    let partial = machine([root_port("01:01.0", 2), uncore()]);
    assert!(unseen(&partial, 0xff).contains("not read from bus 00 on"));
}

#[test]
fn a_function_is_one_of_several_by_its_own_header_or_its_number() {
    let of = |functions: Vec<Made>, place: &str| {
        let machine = machine(functions);
        Topology::of(&machine).is_multifunction(address(place))
    };
    assert!(!of(vec![endpoint("00:01.0")], "00:01.0"));
    assert!(of(vec![endpoint("00:01.0").multifunction()], "00:01.0"));
    assert!(of(vec![endpoint("00:01.3")], "00:01.3"));
    assert!(!of(
        vec![endpoint("00:01.0"), endpoint("00:01.1")],
        "00:01.0"
    ));
    assert!(!of(vec![], "00:01.0"));
    // A header that was not read: its siblings tell.
    let unread = || endpoint("00:01.0").cut(8);
    assert!(!of(vec![unread(), endpoint("00:02.1")], "00:01.0"));
    assert!(of(vec![unread(), endpoint("00:01.1")], "00:01.0"));
    assert!(!of(vec![endpoint("00:01.0").gone()], "00:01.0"));
    assert!(of(
        vec![endpoint("00:01.0").gone(), endpoint("00:01.1")],
        "00:01.0"
    ));
    let virtual_sibling = endpoint("00:01.1")
        .change(|function| function.physical_function = Reading::Known(address("00:03.0")));
    assert!(!of(vec![unread(), virtual_sibling], "00:01.0"));
}

#[test]
fn a_device_number_behind_a_port_is_a_further_function() {
    let below = |port: Made| {
        let machine = machine([port, endpoint("01:00.0"), endpoint("01:01.0")]);
        let topology = Topology::of(&machine);
        ["01:00.0", "01:01.0"].map(|place| topology.is_multifunction(address(place)))
    };
    assert_eq!(below(root_port("00:01.0", 1)), [false, true]);
    assert_eq!(below(downstream("00:01.0", 1)), [false, true]);
    assert_eq!(below(upstream("00:01.0", 1)), [false, false]);
}

#[test]
fn a_virtual_function_is_told_by_sysfs_or_by_the_capability_of_its_physical_function() {
    // SR-IOV at 0x100: control, counts, then first offset and stride.
    let sr_iov = |enabled: u16, count: u16, offset: u16, stride: u16| {
        endpoint("01:00.0").words(
            0x100,
            &[
                0x0010, 0x0001, 0, 0, enabled, 0, 8, 8, count, 0, offset, stride,
            ],
        )
    };
    let found = |physical: Made| {
        let machine = machine([
            root_port("00:01.0", 1).buses(1, 2),
            physical,
            endpoint("01:00.1"),
            endpoint("01:10.0"),
            endpoint("01:10.1"),
            endpoint("01:10.2"),
            endpoint("02:10.2"),
        ]);
        let topology = Topology::of(&machine);
        let functions = topology.functions().map(|function| function.address);
        places(functions.filter(|function| topology.physical_function(*function).is_some()))
    };
    assert_eq!(found(sr_iov(1, 2, 0x80, 2)), ["01:10.0", "01:10.2"]);
    assert_eq!(
        found(sr_iov(1, 3, 0x80, 1)),
        ["01:10.0", "01:10.1", "01:10.2"]
    );
    assert_eq!(found(sr_iov(1, 2, 0x82, 0x100)), ["01:10.2", "02:10.2"]);
    assert_eq!(found(sr_iov(1, 1, 0x80, 0)), ["01:10.0"]);
    assert_eq!(found(sr_iov(0, 2, 0x80, 2)), [""; 0]);
    assert_eq!(found(sr_iov(1, 0, 0x80, 2)), [""; 0]);
    assert_eq!(found(sr_iov(1, 2, 0, 1)), [""; 0]);
    assert_eq!(found(sr_iov(1, 2, 0xffff, 1)), [""; 0]);
    assert_eq!(found(sr_iov(1, 2, 0x80, 2).gone()), [""; 0]);
    let told = machine([
        sr_iov(1, 2, 0x80, 2),
        endpoint("01:10.0").change(|function| function.physical_function = Reading::Absent),
        endpoint("01:10.1")
            .change(|function| function.physical_function = Reading::Known(address("01:00.0"))),
    ]);
    let topology = Topology::of(&told);
    assert_eq!(topology.physical_function(address("01:10.0")), None);
    assert_eq!(
        topology.physical_function(address("01:10.1")),
        Some(address("01:00.0"))
    );
    assert!(!topology.is_multifunction(address("01:10.1")));
    let on_bus = topology.on_bus(bus(1)).map(|function| function.address);
    assert_eq!(places(on_bus), ["01:00.0", "01:10.0", "01:10.1"]);
}

#[test]
fn functions_are_found_bus_by_bus_and_virtual_ones_at_the_end() {
    let machine = machine([
        root_port("00:01.0", 5).buses(5, 6),
        root_port("00:02.0", 3),
        endpoint("03:00.0"),
        upstream("05:00.0", 6),
        endpoint("05:00.1")
            .change(|function| function.physical_function = Reading::Known(address("05:00.0"))),
        downstream("06:00.0", 7),
        integrated("80:00.0"),
    ]);
    let topology = Topology::of(&machine);
    let order = topology.scan_order().iter();
    let order = order.map(|node| topology.functions[*node].address);
    assert_eq!(
        places(order),
        [
            "00:01.0", "00:02.0", "05:00.0", "06:00.0", "03:00.0", "80:00.0", "05:00.1"
        ]
    );
}
