use std::collections::BTreeMap;

use pci::{Address, ConfigSpace};

use crate::{Function, Reading};

/// A bridge and the buses behind it.
struct Bridge {
    address: Address,
    secondary: u8,
    subordinate: u8,
}

/// Fills in parents that have no link to be told from, by the bridges' bus numbers, and takes out
/// parents that go round in a circle, so that whoever walks upward comes to an end.
pub(super) fn fill_from_config(functions: &mut [Function]) {
    let bridges = bridges(functions);
    let unread = functions.iter().find(|function| {
        function.class.is_pci_bridge()
            && function
                .config
                .known()
                .and_then(ConfigSpace::bridge_buses)
                .is_none()
    });
    let unread = unread.map(|function| function.address);
    for function in functions
        .iter_mut()
        .filter(|function| function.parent.is_unknown())
    {
        let bus = function.address.bus;
        function.parent = match (above(&bridges, function.address), unread) {
            (Some(bridge), _) => Reading::Known(bridge),
            (None, Some(bridge)) => Reading::Unknown(format!(
                "the bus numbers of bridge {bridge} could not be read, and it may be above"
            )),
            (None, None) if bus == 0 => Reading::Absent,
            (None, None) => Reading::Unknown(format!(
                "no bridge leads to bus {bus:02x}: it is a root bus, or the copy lacks the bridge"
            )),
        };
    }
    break_circles(functions);
}

/// Every bridge whose buses are known. A bus behind a bridge has a higher number than the one it is
/// on; anything else is a bridge that firmware left unconfigured.
fn bridges(functions: &[Function]) -> Vec<Bridge> {
    let bridge = |function: &Function| {
        let buses = function.config.known()?.bridge_buses()?;
        (buses.secondary > function.address.bus).then_some(Bridge {
            address: function.address,
            secondary: buses.secondary,
            subordinate: buses.subordinate,
        })
    };
    functions.iter().filter_map(bridge).collect()
}

/// The bridge directly above: of all that have the bus behind them the one that is nearest. Virtual
/// functions can be on a bus that no bridge has as its secondary.
fn above(bridges: &[Bridge], function: Address) -> Option<Address> {
    bridges
        .iter()
        .filter(|bridge| {
            bridge.address.domain == function.domain
                && (bridge.secondary..=bridge.subordinate).contains(&function.bus)
        })
        .max_by_key(|bridge| bridge.secondary)
        .map(|bridge| bridge.address)
}

fn break_circles(functions: &mut [Function]) {
    let parents: BTreeMap<Address, Address> = functions
        .iter()
        .filter_map(|function| Some((function.address, *function.parent.known()?)))
        .collect();
    for function in functions {
        let mut at = function.address;
        // A path has at most one bridge a bus.
        for _ in 0..=usize::from(u8::MAX) {
            match parents.get(&at) {
                Some(parent) => at = *parent,
                None => break,
            }
        }
        if parents.contains_key(&at) {
            function.parent = Reading::Unknown("the bridges above form a circle".to_owned());
        }
    }
}
