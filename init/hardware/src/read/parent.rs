use std::collections::{BTreeMap, HashMap};

use pci::Address;

use crate::{Function, Reading};

/// Fills in parents that have no link to be told from, by the bridges' bus numbers, and takes out
/// parents that go round in a circle, so that whoever walks upward comes to an end.
pub(crate) fn fill_from_buses(functions: &mut [Function]) {
    if functions
        .iter()
        .any(|function| function.parent.is_unknown())
    {
        let above = bridges_by_bus(functions);
        let unread = functions
            .iter()
            .find(|function| {
                function.class.is_pci_bridge() && function.bridge_buses().known().is_none()
            })
            .map(|function| function.address);
        for function in functions
            .iter_mut()
            .filter(|function| function.parent.is_unknown())
        {
            let Address { domain, bus, .. } = function.address;
            function.parent = match (above.get(&(domain, bus)), unread) {
                (Some(bridge), _) => Reading::Known(*bridge),
                (None, Some(bridge)) => Reading::unknown(format!(
                    "the bus numbers of bridge {bridge} could not be read, and it may be above"
                )),
                (None, None) if bus == 0 => Reading::Absent,
                (None, None) => Reading::unknown(format!(
                    "no bridge leads to bus {bus:02x}: it is a root bus, or the copy lacks the bridge"
                )),
            };
        }
    }
    break_circles(functions);
}

/// The bridge directly above each bus: of all that have the bus behind them the one that is nearest,
/// which has the highest secondary bus. Virtual functions can be on a bus that no bridge has as its
/// secondary. A bus behind a bridge has a higher number than the one the bridge is on; anything else is
/// a bridge that firmware left unconfigured.
fn bridges_by_bus(functions: &[Function]) -> HashMap<(u32, u8), Address> {
    let mut bridges: Vec<_> = functions
        .iter()
        .filter_map(|function| Some((function.address, *function.bridge_buses().known()?)))
        .filter(|(address, buses)| buses.secondary > address.bus)
        .collect();
    bridges.sort_by_key(|(_, buses)| buses.secondary);
    let mut above = HashMap::new();
    for (address, buses) in bridges {
        for bus in buses.secondary..=buses.subordinate {
            above.insert((address.domain, bus), address);
        }
    }
    above
}

fn break_circles(functions: &mut [Function]) {
    let leads_down = |function: &Function| {
        let at = function.address;
        let parent = function.parent.known();
        parent.is_some_and(|parent| parent.domain != at.domain || parent.bus >= at.bus)
    };
    // Where every bridge is on a lower bus than what is behind it, there is no circle.
    if !functions.iter().any(leads_down) {
        return;
    }
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
            function.parent = Reading::Unknown("the bridges above form a circle".into());
        }
    }
}
