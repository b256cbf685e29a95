use pci::Address;

use super::config::{Buses, config};
use super::kind::{
    AUDIO, CHIPSET_PORT, CONVENTIONAL_BRIDGE, DOWNSTREAM_PORT, GRAPHICS, HOST_BRIDGE, NETWORK,
    NVME, PERIPHERAL, ROOT_PORT, SERIAL, UPSTREAM_PORT,
};
use super::{Function, Kind};

/// What is behind a root port, one after the other.
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
/// Root ports of a processor on one root bus, devices of their own.
const PROCESSOR_PORTS: u8 = 4;
/// Functions of a processor on each root bus that are no ports.
const PERIPHERALS: u8 = 3;
/// Root ports of the chipset, functions of one device.
const CHIPSET_PORTS: u8 = 8;

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

/// A machine of exactly so many functions, by ascending address. A domain has root buses as servers have them,
/// each with a few ports, the first with the chipset's, too; when the bus numbers run out, the next domain
/// begins. What no longer fits into the number asked for is missing: slots at the end may be empty.
pub fn machine(functions: usize) -> Vec<Function> {
    let mut maker = Maker {
        functions: Vec::with_capacity(functions + 32),
        wanted: functions,
        domain: 0,
        turn: 0,
    };
    while !maker.is_done() {
        let mut root = Some(0);
        while let Some(bus) = root {
            root = maker.root_bus(bus);
        }
        maker.domain += 1;
    }
    maker.functions.truncate(functions);
    maker.functions.sort_by_key(|function| function.address);
    maker.functions
}

struct Maker {
    functions: Vec<Function>,
    wanted: usize,
    domain: u32,
    turn: usize,
}

impl Maker {
    fn is_done(&self) -> bool {
        self.functions.len() >= self.wanted
    }

    /// A root bus and all below it. Gives the number of the next one, while there are numbers.
    fn root_bus(&mut self, root: u8) -> Option<u8> {
        if root == 0 {
            self.add(root, 0, 0, &HOST_BRIDGE, false, None);
        }
        for function in 0..PERIPHERALS {
            self.add(root, 5, function, &PERIPHERAL, true, None);
        }
        let mut next = root.checked_add(1)?;
        for device in 1..=PROCESSOR_PORTS {
            next = self.root_port((root, device, 0), &ROOT_PORT, next)?;
        }
        for function in 0..if root == 0 { CHIPSET_PORTS } else { 0 } {
            next = self.root_port((root, 0x1c, function), &CHIPSET_PORT, next)?;
        }
        Some(next)
    }

    /// A root port at bus, device and function, whose secondary bus is `bus`, and what is below it. Gives the
    /// next bus number; none when they have run out, or when the machine is large enough.
    fn root_port(&mut self, at: (u8, u8, u8), kind: &'static Kind, bus: u8) -> Option<u8> {
        let below = TURNS[self.turn % TURNS.len()];
        let next = bus.checked_add(below.buses())?;
        if self.is_done() {
            return None;
        }
        self.turn += 1;
        let (root, device, function) = at;
        let multifunction = kind == &CHIPSET_PORT;
        let buses = (root, bus, next - 1);
        self.add(root, device, function, kind, multifunction, Some(buses));
        self.below(bus, below);
        Some(next)
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
    fn every_bus_is_behind_one_bridge_whose_range_holds_all_below_or_has_root_ports() {
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
            let Address { domain, bus, .. } = function.address;
            let mut at = bus;
            while let Some(buses) = behind.get(&(domain, at)) {
                assert!((buses.secondary..=buses.subordinate).contains(&bus));
                at = buses.primary;
            }
            let on_root_bus = machine.iter().filter(|other| other.address.bus == at);
            let mut of_domain = on_root_bus.filter(|other| other.address.domain == domain);
            assert!(of_domain.any(|other| other.kind == &PERIPHERAL));
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
