//! Who is above a function: by its link, else by the bridges' bus numbers.

use crate::functions::assert_unknown;
use crate::sys::{Sys, at, bridge};
use hardware::Reading;

#[test]
fn without_links_the_bridges_bus_numbers_tell_who_is_above() {
    let sys = Sys::new();
    let bridges = [
        ("0000:00:01.0", bridge(0, 1, 4)),
        ("0000:01:00.0", bridge(1, 2, 4)),
        ("0000:02:01.0", bridge(2, 3, 4)),
        ("0001:00:01.0", bridge(0, 3, 3)),
    ];
    for (address, config) in &bridges {
        let class = [("class", "0x060400\n")];
        sys.function(address, &class)
            .file(&format!("bus/pci/devices/{address}/config"), config);
    }
    sys.function("0000:03:00.0", &[])
        .function("0000:04:10.0", &[])
        .function("0000:00:1f.0", &[]);
    let machine = sys.read();
    let above = |address| {
        at(&machine, address)
            .parent
            .known()
            .map(|parent| parent.to_string())
    };
    assert_eq!(above("0000:03:00.0").as_deref(), Some("0000:02:01.0"));
    assert_eq!(above("0000:02:01.0").as_deref(), Some("0000:01:00.0"));
    assert_eq!(above("0000:01:00.0").as_deref(), Some("0000:00:01.0"));
    assert_eq!(
        above("0000:04:10.0").as_deref(),
        Some("0000:02:01.0"),
        "a virtual function"
    );
    assert_eq!(at(&machine, "0000:00:1f.0").parent, Reading::Absent);
}

#[test]
fn a_bridge_that_could_not_be_read_leaves_parents_unknown() {
    let sys = Sys::new();
    sys.function("0000:00:01.0", &[("class", "0x060400\n")])
        .function("0000:01:00.0", &[]);
    assert_unknown(&at(&sys.read(), "0000:01:00.0").parent, "0000:00:01.0");
}

#[test]
fn bridges_that_claim_to_be_above_each_other_do_not_make_a_circle() {
    let sys = Sys::new();
    let class = [("class", "0x060400\n")];
    sys.function("0000:01:00.0", &class)
        .file("bus/pci/devices/0000:01:00.0/config", bridge(1, 2, 2));
    sys.function("0000:02:00.0", &class)
        .file("bus/pci/devices/0000:02:00.0/config", bridge(2, 1, 1));
    sys.linked("0000:04:00.0", "0000:03:00.0", &[])
        .linked("0000:03:00.0", "0000:04:00.0", &[]);
    let machine = sys.read();
    for function in &machine.functions {
        let mut at_most = machine.functions.len();
        let mut at = function;
        while let Some(above) = at.parent.known() {
            at = machine
                .functions
                .iter()
                .find(|one| one.address == *above)
                .unwrap();
            at_most = at_most.checked_sub(1).expect("a circle");
        }
    }
    assert_unknown(&at(&machine, "0000:03:00.0").parent, "circle");
}

#[test]
fn a_function_behind_vmd_on_its_root_bus_has_nothing_above() {
    let sys = Sys::new();
    sys.linked("pci0000:00/0000:00:0e.0/pci10000:e0", "10000:e0:01.0", &[]);
    assert_eq!(at(&sys.read(), "10000:e0:01.0").parent, Reading::Absent);
}
