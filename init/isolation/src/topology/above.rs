use std::collections::{BTreeMap, BTreeSet};

use hardware::{Function, Reading};
use pci::{Address, PortType};

use super::{Above, Bus};

/// Domains that the VMD driver makes begin here (drivers/pci/controller/vmd.c).
pub(crate) const FIRST_VMD_DOMAIN: u32 = 0x10000;

/// The bridges of a machine by the bus directly behind them.
pub(super) struct Bridges {
    /// By secondary bus: the bridge and its subordinate bus.
    by_secondary: BTreeMap<Bus, (Address, u8)>,
    /// By domain, a bridge whose bus numbers could not be read.
    unread: BTreeMap<u32, Address>,
    /// Domains with a function on bus 0.
    with_bus_zero: BTreeSet<u32>,
}

impl Bridges {
    pub fn of(functions: &[&Function]) -> Self {
        let mut bridges = Self {
            by_secondary: BTreeMap::new(),
            unread: BTreeMap::new(),
            with_bus_zero: BTreeSet::new(),
        };
        for function in functions {
            let address = function.address;
            if address.bus == 0 {
                bridges.with_bus_zero.insert(address.domain);
            }
            match function.bridge_buses() {
                // Others are bridges that firmware left unconfigured (`pci_scan_bridge_extend`).
                Reading::Known(buses)
                    if address.bus < buses.secondary && buses.secondary <= buses.subordinate =>
                {
                    let bus = Bus {
                        domain: address.domain,
                        number: buses.secondary,
                    };
                    bridges
                        .by_secondary
                        .entry(bus)
                        .or_insert((address, buses.subordinate));
                }
                Reading::Known(_) | Reading::Absent => {}
                Reading::Unknown(_) if function.class.is_pci_bridge() => {
                    bridges.unread.entry(address.domain).or_insert(address);
                }
                Reading::Unknown(_) => {}
            }
        }
        bridges
    }

    /// What is above a bus with these functions on it.
    pub fn above(
        &self,
        bus: Bus,
        on_bus: &[&Function],
        is_listed: impl Fn(Address) -> bool,
    ) -> Above {
        let parents = on_bus.iter().filter_map(|function| function.parent.known());
        let mut upward =
            parents.filter(|parent| parent.domain == bus.domain && parent.bus < bus.number);
        if let Some(parent) = upward.next() {
            return if is_listed(*parent) {
                Above::Bridge(*parent)
            } else {
                Above::Unseen(format!(
                    "bridge {parent} above bus {bus} is not among the functions"
                ))
            };
        }
        if let Some(bridge) = self.leading_to(bus) {
            return Above::Bridge(bridge);
        }
        if bus.number == 0 || on_bus.iter().any(|function| is_on_root_bus(function)) {
            return Above::Root;
        }
        if let Some(below) = on_bus.iter().find(|function| needs_port(function)) {
            return Above::Unseen(format!(
                "{} needs a port above it, and none leads to bus {bus}",
                below.address
            ));
        }
        if let Some(bridge) = self.unread.get(&bus.domain) {
            return Above::Unseen(format!(
                "the bus numbers of bridge {bridge} could not be read, and it may lead to bus {bus}"
            ));
        }
        if self.with_bus_zero.contains(&bus.domain) {
            Above::Root
        } else {
            Above::Unseen(format!(
                "nothing leads to bus {bus}, and its domain was not read from bus 00 on"
            ))
        }
    }

    /// The bridge with this bus behind it: directly, or nearest. Virtual functions can be on a bus that is
    /// no bridge's secondary one.
    fn leading_to(&self, bus: Bus) -> Option<Address> {
        let first = Bus { number: 0, ..bus };
        let mut nearest = self.by_secondary.range(first..=bus).rev();
        nearest
            .find(|(_, (_, subordinate))| bus.number <= *subordinate)
            .map(|(_, (bridge, _))| *bridge)
    }
}

/// Root ports and what is integrated into a root complex are on a root bus, and so are host bridges.
fn is_on_root_bus(function: &Function) -> bool {
    function.parent == Reading::Absent
        || (function.class.base(), function.class.sub()) == (0x06, 0x00)
        || matches!(
            function.port_type(),
            Reading::Known(
                PortType::RootPort | PortType::RootComplexEndpoint | PortType::EventCollector
            )
        )
}

fn needs_port(function: &Function) -> bool {
    matches!(
        function.port_type(),
        Reading::Known(
            PortType::Endpoint
                | PortType::LegacyEndpoint
                | PortType::UpstreamPort
                | PortType::DownstreamPort
                | PortType::PcieToPciBridge
        )
    )
}
