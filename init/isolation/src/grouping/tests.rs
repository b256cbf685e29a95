use hardware::Reading;

use crate::testing::*;
use crate::{Override, Platform, Predictor, predict};

mod aliases;

/// All four services, and one less.
const ALL: u16 = 0x1d;

#[test]
fn a_port_that_isolates_parts_what_is_behind_it_from_itself() {
    let behind = |port: Made| groups(&in_use([port, endpoint("01:00.0")]));
    let port = || root_port("00:01.0", 1);
    assert_eq!(behind(port().acs(ALL, ALL)), "00:01.0 | 01:00.0");
    assert_eq!(behind(port()), "00:01.0 01:00.0");
    // Any of the four that is off joins them; others do not matter.
    for bit in [0x01, 0x04, 0x08, 0x10] {
        assert_eq!(
            behind(port().acs(ALL, ALL & !bit)),
            "00:01.0 01:00.0",
            "{bit:#x}"
        );
        assert_eq!(
            behind(port().acs(ALL & !bit, ALL & !bit)),
            "00:01.0 | 01:00.0",
            "{bit:#x}"
        );
    }
    assert_eq!(behind(port().acs(0x7f, ALL)), "00:01.0 | 01:00.0");
}

#[test]
fn with_the_iommu_off_what_the_port_can_do_counts() {
    let functions = [root_port("00:01.0", 1).acs(ALL, 0), endpoint("01:00.0")];
    assert_eq!(groups(&machine(functions.clone())), "00:01.0 | 01:00.0");
    assert_eq!(groups(&in_use(functions)), "00:01.0 01:00.0");
}

#[test]
fn functions_of_one_device_share_a_group_where_neither_isolates() {
    let card = |functions: [Made; 3]| {
        let port = root_port("00:01.0", 1).acs(ALL, ALL);
        groups(&in_use([port].into_iter().chain(functions)))
    };
    let functions = || {
        [
            endpoint("01:00.0").multifunction(),
            endpoint("01:00.1"),
            endpoint("01:00.2"),
        ]
    };
    assert_eq!(card(functions()), "00:01.0 | 01:00.0 01:00.1 01:00.2");
    let with = |isolating: &[usize]| {
        let mut functions = functions();
        for number in isolating {
            functions[*number] = functions[*number].clone().acs(ALL, ALL);
        }
        card(functions)
    };
    assert_eq!(with(&[0]), "00:01.0 | 01:00.0 | 01:00.1 01:00.2");
    assert_eq!(with(&[1]), "00:01.0 | 01:00.0 01:00.2 | 01:00.1");
    assert_eq!(with(&[0, 1]), "00:01.0 | 01:00.0 | 01:00.1 | 01:00.2");
}

#[test]
fn functions_of_different_devices_on_a_root_bus_stay_apart() {
    let machine = in_use([
        integrated("00:02.0"),
        integrated("00:03.0").multifunction(),
        integrated("00:03.1"),
        conventional("00:04.0"),
    ]);
    assert_eq!(groups(&machine), "00:02.0 | 00:03.0 00:03.1 | 00:04.0");
}

#[test]
fn ports_of_one_device_that_do_not_isolate_take_all_behind_them_together() {
    let machine = in_use([
        root_port("00:01.0", 1).multifunction(),
        root_port("00:01.1", 2),
        root_port("00:01.2", 3).acs(ALL, ALL),
        endpoint("01:00.0"),
        endpoint("02:00.0"),
        endpoint("03:00.0"),
    ]);
    assert_eq!(
        groups(&machine),
        "00:01.0 00:01.1 01:00.0 02:00.0 | 00:01.2 | 03:00.0"
    );
}

#[test]
fn in_a_switch_each_downstream_port_without_acs_takes_what_is_behind_it() {
    let switch = |upstream: Made, port: fn(&str, u8) -> Made| {
        let functions = [
            root_port("00:01.0", 1).buses(1, 4).acs(ALL, ALL),
            upstream,
            port("02:00.0", 3),
            port("02:01.0", 4),
            endpoint("03:00.0"),
            endpoint("04:00.0"),
        ];
        groups(&in_use(functions))
    };
    let plain = || upstream("01:00.0", 2).buses(2, 4);
    assert_eq!(
        switch(plain(), downstream),
        "00:01.0 | 01:00.0 | 02:00.0 03:00.0 | 02:01.0 04:00.0"
    );
    let isolating = |place: &str, bus| downstream(place, bus).acs(ALL, ALL);
    assert_eq!(
        switch(plain(), isolating),
        "00:01.0 | 01:00.0 | 02:00.0 | 02:01.0 | 03:00.0 | 04:00.0"
    );
    // An upstream port that is one of several functions needs access control of its own.
    assert_eq!(
        switch(plain().multifunction(), isolating),
        "00:01.0 | 01:00.0 02:00.0 02:01.0 03:00.0 04:00.0"
    );
}

#[test]
fn a_port_that_does_not_isolate_takes_all_below_its_switch_though_that_isolates() {
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 3),
        upstream("01:00.0", 2).buses(2, 3),
        downstream("02:00.0", 3).acs(ALL, ALL),
        endpoint("03:00.0"),
    ]);
    assert_eq!(groups(&machine), "00:01.0 01:00.0 02:00.0 03:00.0");
}

#[test]
fn all_behind_a_bridge_to_a_conventional_bus_is_one_group_with_the_bridge() {
    let port = || root_port("00:01.0", 1).buses(1, 3).acs(ALL, ALL);
    let behind_port = in_use([
        port(),
        express_to_pci("01:00.0", 2).buses(2, 3),
        conventional("02:01.0"),
        conventional("02:02.0"),
        conventional_bridge("02:03.0", 3),
        conventional("03:00.0"),
    ]);
    assert_eq!(
        groups(&behind_port),
        "00:01.0 | 01:00.0 02:01.0 02:02.0 02:03.0 03:00.0"
    );
    let on_root_bus = in_use([
        conventional_bridge("00:1e.0", 1),
        conventional("01:01.0"),
        conventional("01:02.0"),
        conventional("00:1f.0"),
    ]);
    assert_eq!(groups(&on_root_bus), "00:1e.0 01:01.0 01:02.0 | 00:1f.0");
    // A bridge from conventional PCI to PCI Express: what is behind it looks like the bridge.
    let reverse = in_use([express("00:05.0", 1, 8).buses(1, 1), endpoint("01:00.0")]);
    assert_eq!(groups(&reverse), "00:05.0 01:00.0");
}

#[test]
fn a_bridge_whose_port_does_not_isolate_shares_the_ports_group() {
    let machine = in_use([
        root_port("00:01.0", 1).buses(1, 2),
        express_to_pci("01:00.0", 2),
        conventional("02:01.0"),
    ]);
    assert_eq!(groups(&machine), "00:01.0 01:00.0 02:01.0");
}

#[test]
fn virtual_functions_follow_the_way_up_of_their_physical_function() {
    let virtual_function = |place: &str| {
        endpoint(place).change(|function| {
            function.physical_function = Reading::Known(address("01:00.0"));
            function.parent = Reading::Known(address("00:01.0"));
        })
    };
    let with = |port: Made| {
        groups(&in_use([
            port,
            endpoint("01:00.0").multifunction(),
            endpoint("01:00.1"),
            virtual_function("01:10.0"),
            virtual_function("01:10.1"),
            virtual_function("02:10.0"),
        ]))
    };
    let port = || root_port("00:01.0", 1).buses(1, 2);
    assert_eq!(
        with(port().acs(ALL, ALL)),
        "00:01.0 | 01:00.0 01:00.1 | 01:10.0 | 01:10.1 | 02:10.0"
    );
    assert_eq!(
        with(port()),
        "00:01.0 01:00.0 01:00.1 01:10.0 01:10.1 02:10.0"
    );
}

#[test]
fn what_no_iommu_covers_is_in_no_group_and_gives_none() {
    let functions = [
        integrated("00:00.2").class(0x08_06_00),
        root_port("00:01.0", 1),
        endpoint("01:00.0"),
        endpoint("02:00.0").parent("00:01.0"),
    ];
    let machine = in_use(functions);
    let prediction = predict(&machine, &Override::NONE);
    assert_eq!(prediction.ungrouped, [address("00:00.2")]);
    assert_eq!(text(&prediction), "00:01.0 01:00.0 02:00.0");
    let covers = |function: &hardware::Function| function.address.bus > 0;
    let platform = Platform {
        covers: &covers,
        ..Platform::default()
    };
    let prediction = Predictor::new(&machine, &Override::NONE, &platform).prediction();
    assert_eq!(
        prediction.ungrouped,
        [address("00:00.2"), address("00:01.0")]
    );
    assert_eq!(text(&prediction), "01:00.0 | 02:00.0");
}

#[test]
fn groups_are_numbered_in_the_order_in_which_the_kernel_finds_functions() {
    let machine = in_use([
        root_port("00:01.0", 5).acs(ALL, ALL),
        root_port("00:02.0", 3).acs(ALL, ALL),
        endpoint("03:00.0"),
        endpoint("05:00.0"),
    ]);
    let prediction = predict(&machine, &Override::NONE);
    let order: Vec<String> = prediction
        .groups
        .iter()
        .map(|group| short(group.functions[0]))
        .collect();
    assert_eq!(order, ["00:01.0", "00:02.0", "05:00.0", "03:00.0"]);
    let ids: Vec<u32> = prediction.groups.iter().map(|group| group.id).collect();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert_eq!(prediction.model, crate::MODEL);
}

#[test]
fn what_is_in_a_vmd_domain_is_in_the_group_of_its_controller() {
    let controller = |place: &str| integrated(place).id(0x8086, 0x467f);
    let in_domain = |functions: Vec<Made>| {
        let inside = [
            root_port("10000:e0:06.0", 0xe1).acs(ALL, ALL),
            endpoint("10000:e1:00.0"),
        ];
        groups(&in_use(inside.into_iter().chain(functions)))
    };
    assert_eq!(
        in_domain(vec![controller("00:0e.0"), integrated("00:02.0")]),
        "00:02.0 | 00:0e.0 10000:e0:06.0 10000:e1:00.0"
    );
    // Two controllers: the first domain is the first one's.
    let second = root_port("10001:e0:06.0", 0xe1).acs(ALL, ALL);
    assert_eq!(
        in_domain(vec![
            controller("00:0e.0"),
            controller("00:0f.0"),
            second.clone()
        ]),
        "00:0e.0 10000:e0:06.0 10000:e1:00.0 | 00:0f.0 10001:e0:06.0"
    );
    // A controller that has no driver made no domain.
    let idle = controller("00:0d.0")
        .change(|function| function.driver = Reading::Known("vfio-pci".into()));
    assert_eq!(
        in_domain(vec![idle, controller("00:0e.0")]),
        "00:0d.0 | 00:0e.0 10000:e0:06.0 10000:e1:00.0"
    );
    // Nothing tells which of two controllers has the one domain: its functions stay together.
    assert_eq!(
        in_domain(vec![controller("00:0e.0"), controller("00:0f.0")]),
        "00:0e.0 | 00:0f.0 | 10000:e0:06.0 10000:e1:00.0"
    );
}

#[test]
fn domains_have_nothing_to_do_with_each_other() {
    let machine = in_use([
        root_port("0000:00:01.0", 1),
        endpoint("0000:01:00.0"),
        root_port("0001:00:01.0", 1).acs(ALL, ALL),
        endpoint("0001:01:00.0"),
    ]);
    assert_eq!(
        groups(&machine),
        "0001:00:01.0 | 0001:01:00.0 | 00:01.0 01:00.0"
    );
}
