use pci::{Address, PortType};

use crate::smbios::{BoardSlot, SlotUsage, board_slots};
use crate::tree::Tree;
use crate::{Function, Reading, Source};

const DMI: &str = "firmware/dmi/tables/DMI";
const DMI_LIMIT: usize = 1 << 20;
/// From a function behind a card's own switch to the slot's port: downstream, upstream, slot.
const MOST_BRIDGES: usize = 3;

/// The slots that firmware lists, empty ones included.
pub(super) fn slots(source: &Source, sys: &Tree) -> Reading<Vec<BoardSlot>> {
    source
        .reading(sys, DMI, sys.all_bytes(DMI, DMI_LIMIT))
        .and_then(|table| board_slots(&table))
}

/// Gives the functions that /sys names no slot for the name that firmware has.
pub(super) fn name_functions(functions: &mut [Function], slots: &Reading<Vec<BoardSlot>>) {
    let Some(slots) = slots.known() else {
        return;
    };
    let names: Vec<Option<String>> = functions
        .iter()
        .map(|function| name(functions, function, slots))
        .collect();
    for (function, name) in functions.iter_mut().zip(names) {
        if let (None, Some(name)) = (function.slot.known(), name) {
            function.slot = Reading::Known(name);
        }
    }
}

/// Firmware gives a slot's function or the port above it.
fn name(functions: &[Function], function: &Function, slots: &[BoardSlot]) -> Option<String> {
    if function.class.is_bridge() {
        return None;
    }
    let mut slots = slots
        .iter()
        .filter(|slot| slot.usage != SlotUsage::Available)
        .filter_map(|slot| Some((slot, slot.address?)));
    let ports = ports_above(functions, function);
    let found = slots
        .find(|(_, address)| address.slot() == function.address.slot() || ports.contains(address));
    found.map(|(slot, _)| slot.designation.clone())
}

/// The bridge above; for a card with a switch of its own, also the bridge above that switch.
fn ports_above(functions: &[Function], function: &Function) -> Vec<Address> {
    let mut ports = Vec::new();
    let mut next = function.parent.known().copied();
    while let Some(address) = next.filter(|_| ports.len() < MOST_BRIDGES) {
        ports.push(address);
        let Ok(at) = functions.binary_search_by_key(&address, |function| function.address) else {
            break;
        };
        let in_switch = |bridge: &&Function| {
            let kind = bridge.port_type();
            function.class.is_display()
                && matches!(
                    kind,
                    Reading::Known(PortType::DownstreamPort | PortType::UpstreamPort)
                )
        };
        next = functions
            .get(at)
            .filter(in_switch)
            .and_then(|bridge| bridge.parent.known().copied());
    }
    ports
}
