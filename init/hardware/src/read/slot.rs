use pci::Address;

use super::address;
use crate::tree::Tree;
use crate::{Function, Reading, Source};

const SLOTS: &str = "bus/pci/slots";

/// A slot's name and what is in it: a bus and device, or a whole bus where the kernel knows no device
/// number (drivers/pci/slot.c, `address_read_file`).
struct PhysicalSlot {
    name: String,
    place: Address,
    whole_bus: bool,
}

/// Gives every function the name of its slot.
pub(super) fn fill(source: &Source, sys: &Tree, functions: &mut [Function]) {
    let slots = source.reading(sys, SLOTS, sys.list(SLOTS)).map(|names| {
        names
            .into_iter()
            .filter_map(|name| slot(sys, name))
            .collect::<Vec<PhysicalSlot>>()
    });
    for function in functions {
        function.slot = match &slots {
            Reading::Known(slots) => slots
                .iter()
                .find(|slot| slot.holds(function.address))
                .map_or(Reading::Absent, |slot| Reading::Known(slot.name.clone())),
            Reading::Absent => Reading::Absent,
            Reading::Unknown(why) => Reading::Unknown(why.clone()),
        };
    }
}

fn slot(sys: &Tree, name: String) -> Option<PhysicalSlot> {
    let text = sys.text(&format!("{SLOTS}/{name}/address")).ok()?;
    let text = text.trim();
    let whole_bus = text.matches(':').count() == 1;
    let place = if whole_bus {
        format!("{text}:00.0")
    } else {
        format!("{text}.0")
    };
    Some(PhysicalSlot {
        name,
        place: address(&place)?,
        whole_bus,
    })
}

impl PhysicalSlot {
    fn holds(&self, function: Address) -> bool {
        if self.whole_bus {
            (self.place.domain, self.place.bus) == (function.domain, function.bus)
        } else {
            self.place.slot() == function.slot()
        }
    }
}
