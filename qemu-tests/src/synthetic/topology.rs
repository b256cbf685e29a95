use pci::Address;

use super::config::{Buses, config};
use super::kind::{
    AUDIO, CONVENTIONAL_BRIDGE, DOWNSTREAM_PORT, GRAPHICS, HOST_BRIDGE, NETWORK, NVME, ROOT_PORT,
    SERIAL, UPSTREAM_PORT,
};
use super::{Function, Kind};

/// What is behind a root port, in turn.
#[derive(Clone, Copy)]
enum Below {
    /// Functions of one card.
    Card(&'static [&'static Kind]),
    /// A switch with a graphics card below each port.
    Switch,
    /// A bridge to conventional PCI with cards of one function each.
    Bridge,
    /// An empty slot.
    Nothing,
}

const TURNS: [Below; 6] = [
    Below::Card(&[&GRAPHICS, &AUDIO]),
    Below::Card(&[&NVME]),
    Below::Card(&[&NETWORK, &NETWORK, &NETWORK, &NETWORK]),
    Below::Switch,
    Below::Bridge,
    Below::Nothing,
];

/// Downstream ports of a switch.
const SWITCH: u8 = 4;
/// Cards on a conventional bus.
const CONVENTIONAL: u8 = 3;
/// Root ports on a root bus: devices 1 to 30 with eight functions each, device 0 being the host bridge.
const ROOT_PORTS: u8 = 30 * 8;

impl Below {
    /// Bus numbers that it takes.
    fn buses(self) -> u8 {
        match self {
            Self::Card(_) | Self::Nothing => 1,
            Self::Switch => 2 + SWITCH,
            Self::Bridge => 2,
        }
    }
}

/// A machine of exactly so many functions, by ascending address. A root bus is filled with ports and what is
/// below them until it or the bus numbers run out; then the next domain begins. What no longer fits into
/// the number asked for is missing: slots at the end may be empty.
pub fn machine(functions: usize) -> Vec<Function> {
    let mut maker = Maker {
        functions: Vec::with_capacity(functions + 32),
        domain: 0,
    };
    while maker.functions.len() < functions {
        maker.domain(functions);
        maker.domain += 1;
    }
    maker.functions.truncate(functions);
    maker.functions.sort_by_key(|function| function.address);
    maker.functions
}

struct Maker {
    functions: Vec<Function>,
    domain: u32,
}

impl Maker {
    fn domain(&mut self, wanted: usize) {
        self.add(0, 0, 0, &HOST_BRIDGE, false, None);
        let mut bus: u8 = 1;
        for (port, below) in (0..ROOT_PORTS).zip(TURNS.into_iter().cycle()) {
            let Some(next) = bus.checked_add(below.buses()) else {
                return;
            };
            if self.functions.len() >= wanted {
                return;
            }
            let buses = (0, bus, next - 1);
            self.add(0, 1 + port / 8, port % 8, &ROOT_PORT, true, Some(buses));
            self.below(bus, below);
            bus = next;
        }
    }

    fn below(&mut self, bus: u8, below: Below) {
        match below {
            Below::Card(kinds) => self.card(bus, kinds),
            Below::Switch => {
                let last = bus + 1 + SWITCH;
                self.add(bus, 0, 0, &UPSTREAM_PORT, false, Some((bus, bus + 1, last)));
                for port in 0..SWITCH {
                    let behind = bus + 2 + port;
                    let buses = (bus + 1, behind, behind);
                    self.add(bus + 1, port, 0, &DOWNSTREAM_PORT, false, Some(buses));
                    self.card(behind, &[&GRAPHICS, &AUDIO]);
                }
            }
            Below::Bridge => {
                let buses = (bus, bus + 1, bus + 1);
                self.add(bus, 0, 0, &CONVENTIONAL_BRIDGE, false, Some(buses));
                for device in 0..CONVENTIONAL {
                    self.add(bus + 1, device, 0, &SERIAL, false, None);
                }
            }
            Below::Nothing => {}
        }
    }

    fn card(&mut self, bus: u8, kinds: &[&'static Kind]) {
        for (function, kind) in (0..).zip(kinds) {
            self.add(bus, 0, function, kind, kinds.len() > 1, None);
        }
    }

    fn add(
        &mut self,
        bus: u8,
        device: u8,
        function: u8,
        kind: &'static Kind,
        multifunction: bool,
        buses: Option<Buses>,
    ) {
        let number = u16::from(buses.map_or(0, |(_, secondary, _)| secondary));
        self.functions.push(Function {
            address: Address {
                domain: self.domain,
                bus,
                device,
                function,
            },
            kind,
            config: config(kind, multifunction, buses, number),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use pci::{ConfigSpace, PortType};

    use super::*;

    #[test]
    fn a_machine_has_as_many_functions_as_are_asked_for_each_at_a_place_of_its_own() {
        for count in [1, 16, 100, 1024, 4096] {
            let machine = machine(count);
            let places: BTreeSet<_> = machine.iter().map(|function| function.address).collect();
            assert_eq!((machine.len(), places.len()), (count, count));
            assert!(machine.is_sorted_by_key(|function| function.address));
        }
    }

    #[test]
    fn four_thousand_functions_take_several_domains() {
        let domains: BTreeSet<_> = machine(4096)
            .iter()
            .map(|function| function.address.domain)
            .collect();
        assert!((4..16).contains(&domains.len()), "{domains:?}");
    }

    #[test]
    fn every_bus_but_a_root_bus_is_behind_one_bridge_whose_range_holds_all_below() {
        let machine = machine(4096);
        let mut behind = BTreeMap::new();
        for function in &machine {
            let config = ConfigSpace::new(function.config.clone());
            if let Some(buses) = config.bridge_buses() {
                assert_eq!(buses.primary, function.address.bus);
                assert!(buses.primary < buses.secondary && buses.secondary <= buses.subordinate);
                let place = (function.address.domain, buses.secondary);
                let other = behind.insert(place, buses);
                assert_eq!(other, None, "two bridges lead to bus {place:?}");
            }
        }
        for function in &machine {
            let mut at = function.address.bus;
            while at != 0 {
                let buses = behind[&(function.address.domain, at)];
                assert!((buses.secondary..=buses.subordinate).contains(&function.address.bus));
                at = buses.primary;
            }
        }
    }

    #[test]
    fn configuration_spaces_say_what_the_functions_are() {
        for function in machine(256) {
            let config = ConfigSpace::new(function.config.clone());
            let kind = function.kind;
            assert_eq!(config.port_type(), kind.express);
            assert_eq!(config.acs().flatten().is_some(), kind.isolates);
            let extended = config.extended_capabilities().unwrap();
            let virtual_functions = extended.iter().any(|capability| capability.id == 0x10);
            assert_eq!(virtual_functions, kind.virtual_functions > 0);
            if kind.express == Some(PortType::RootPort) {
                let behind = config.bridge_buses().unwrap().secondary;
                assert_eq!(config.slot_number(), Some(behind.into()));
            }
        }
    }
}
