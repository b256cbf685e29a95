use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hardware::{Function, Machine, Reading};
use pci::{Acs, Address, AddressMap, PortType};

mod above;
mod virtual_functions;

use above::Bridges;
pub(crate) use above::FIRST_VMD_DOMAIN;

/// One bus of a domain. Written `0000:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bus {
    /// Domain.
    pub domain: u32,
    /// Bus number.
    pub number: u8,
}

/// What is above a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Above {
    /// Nothing: it is a root bus (`pci_is_root_bus`).
    Root,
    /// This bridge (`bus->self`). The bus of virtual functions has the bridge above their physical function.
    Bridge(Address),
    /// A bridge that is not among the functions, and how that is known.
    Unseen(String),
}

/// Place of a function in the list of functions.
pub(crate) type Node = usize;

/// What decides about a function, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub port: Reading<PortType>,
    pub acs: Reading<Acs>,
    /// `dev->multifunction`: bit 7 of its own header, or any function but 0; never a virtual function.
    pub multifunction: bool,
    pub physical_function: Option<Address>,
}

/// A machine's functions by address, and how its buses hang together.
#[derive(Clone, Debug)]
pub struct Topology<'a> {
    functions: Vec<&'a Function>,
    index: AddressMap<Node>,
    facts: Vec<Facts>,
    buses: BTreeMap<Bus, Entry>,
    behind: AddressMap<Vec<Bus>>,
    scan_order: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Entry {
    above: Above,
    members: Vec<Node>,
}

/// Device and function number in one byte (`PCI_DEVFN`).
pub(crate) fn devfn(address: Address) -> u8 {
    (address.device << 3) | (address.function & 7)
}

impl Bus {
    /// The bus that a function is on.
    pub fn of(address: Address) -> Self {
        Self {
            domain: address.domain,
            number: address.bus,
        }
    }
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}", self.domain, self.number)
    }
}

impl<'a> Topology<'a> {
    /// Indexes the machine. Of two functions at one address the first counts. A bus hangs on the bridge that
    /// its functions name as their parent, else on the one whose bus numbers lead there; a bridge is always
    /// on a bus of a lower number, so no path upward goes in a circle.
    pub fn of(machine: &'a Machine) -> Self {
        let mut functions: Vec<&Function> = machine.functions.iter().collect();
        functions.sort_by_key(|function| function.address);
        functions.dedup_by_key(|function| function.address);
        let index: AddressMap<Node> = functions.iter().map(|f| f.address).zip(0..).collect();
        let physical = virtual_functions::physical_functions(&functions);
        let bridges = Bridges::of(&functions);
        let mut buses = BTreeMap::new();
        let mut behind: AddressMap<Vec<Bus>> = AddressMap::default();
        let mut nodes = 0..;
        for on_bus in functions.chunk_by(|one, next| Bus::of(one.address) == Bus::of(next.address))
        {
            let Some(bus) = on_bus.first().map(|function| Bus::of(function.address)) else {
                continue;
            };
            let mut members: Vec<Node> = nodes.by_ref().take(on_bus.len()).collect();
            let mut on_bus = on_bus.to_vec();
            if !physical.is_empty() {
                // The kernel adds virtual functions after all others.
                let is_virtual = |node: &Node| {
                    let address = functions.get(*node).map(|function| function.address);
                    address.is_some_and(|address| physical.contains_key(&address))
                };
                members.sort_by_key(is_virtual);
                let sorted = members
                    .iter()
                    .filter_map(|node| functions.get(*node).copied());
                on_bus = sorted.collect();
            }
            let above = bridges.above(bus, &on_bus, |address| index.contains_key(&address));
            if let Above::Bridge(bridge) = &above {
                behind.entry(*bridge).or_default().push(bus);
            }
            buses.insert(bus, Entry { above, members });
        }
        let mut topology = Self {
            functions,
            index,
            facts: Vec::new(),
            buses,
            behind,
            scan_order: Vec::new(),
        };
        topology.facts = topology.facts(&physical);
        topology.scan_order = topology.scan();
        topology
    }

    /// Every function, by address.
    pub fn functions(&self) -> impl Iterator<Item = &'a Function> {
        self.functions.iter().copied()
    }

    /// The function at this address.
    pub fn function(&self, address: Address) -> Option<&'a Function> {
        self.functions.get(self.node(address)?).copied()
    }

    /// Every bus that has a function, with what is above it.
    pub fn buses(&self) -> impl Iterator<Item = (Bus, &Above)> {
        self.buses.iter().map(|(bus, entry)| (*bus, &entry.above))
    }

    /// What is above a bus; none for a bus that has no function.
    pub fn above(&self, bus: Bus) -> Option<&Above> {
        Some(&self.buses.get(&bus)?.above)
    }

    /// The functions on one bus: virtual ones last, else by address.
    pub fn on_bus(&self, bus: Bus) -> impl Iterator<Item = &'a Function> {
        let members = self.buses.get(&bus).map_or(&[][..], |entry| &entry.members);
        members
            .iter()
            .filter_map(|node| self.functions.get(*node).copied())
    }

    /// The bridges above a function, the nearest first. Ends at a root bus or below an unseen bridge.
    pub fn path_up(&self, from: Address) -> impl Iterator<Item = &'a Function> {
        let next = |at: Address| match self.above(Bus::of(at))? {
            Above::Bridge(bridge) => self.function(*bridge),
            Above::Root | Above::Unseen(_) => None,
        };
        std::iter::successors(next(from), move |bridge| next(bridge.address))
    }

    /// The buses directly behind a bridge.
    pub fn buses_behind(&self, bridge: Address) -> &[Bus] {
        self.behind.get(&bridge).map_or(&[], Vec::as_slice)
    }

    /// Every function behind a bridge, at any depth.
    pub fn below(&self, bridge: Address) -> BTreeSet<Address> {
        let mut found = BTreeSet::new();
        let mut open = vec![bridge];
        while let Some(bridge) = open.pop() {
            for bus in self.buses_behind(bridge) {
                for function in self.on_bus(*bus) {
                    found.insert(function.address);
                    open.push(function.address);
                }
            }
        }
        found
    }

    /// The physical function of a virtual one: as sysfs names it, else by the SR-IOV capability.
    pub fn physical_function(&self, address: Address) -> Option<Address> {
        self.facts.get(self.node(address)?)?.physical_function
    }

    /// Whether the kernel takes the function for one of several in its device.
    pub fn is_multifunction(&self, address: Address) -> bool {
        let facts = self.node(address).and_then(|node| self.facts.get(node));
        facts.is_some_and(|facts| facts.multifunction)
    }

    pub(crate) fn at(&self, node: Node) -> Option<&'a Function> {
        self.functions.get(node).copied()
    }

    pub(crate) fn node(&self, address: Address) -> Option<Node> {
        self.index.get(&address).copied()
    }

    pub(crate) fn facts_of(&self, node: Node) -> Option<&Facts> {
        self.facts.get(node)
    }

    /// Every function with what decides about it, by address.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (&'a Function, &Facts)> {
        self.functions.iter().copied().zip(&self.facts)
    }

    pub(crate) fn members(&self, bus: Bus) -> &[Node] {
        self.buses.get(&bus).map_or(&[], |entry| &entry.members)
    }

    /// Nodes in the order in which the kernel finds them (`pci_scan_child_bus`): a whole bus, then what is
    /// behind each of its bridges; virtual functions at the end. Groups are made in this order.
    pub(crate) fn scan_order(&self) -> &[Node] {
        &self.scan_order
    }

    fn facts(&self, physical: &BTreeMap<Address, Address>) -> Vec<Facts> {
        let facts = |function: &&Function| Facts {
            port: function.port_type(),
            acs: function.acs(),
            multifunction: !physical.contains_key(&function.address)
                && self.looks_multifunction(function, physical),
            physical_function: physical.get(&function.address).copied(),
        };
        self.functions.iter().map(facts).collect()
    }

    fn looks_multifunction(
        &self,
        function: &Function,
        physical: &BTreeMap<Address, Address>,
    ) -> bool {
        let Address {
            device,
            function: number,
            ..
        } = function.address;
        if number > 0 || (device > 0 && self.is_below_port(function.address)) {
            return true;
        }
        let config = function.config.known().filter(|config| !config.is_gone());
        let header = config.and_then(|config| config.is_multifunction());
        // The kernel looks for further functions only where the bit is set.
        header.unwrap_or_else(|| {
            self.on_bus(Bus::of(function.address)).any(|other| {
                other.address != function.address
                    && other.address.slot() == function.address.slot()
                    && !physical.contains_key(&other.address)
            })
        })
    }

    /// Behind a port is device 0 alone (`only_one_child`); a higher number is a further function of a device
    /// with ARI.
    fn is_below_port(&self, address: Address) -> bool {
        let bridge = self.path_up(address).next();
        bridge.is_some_and(|bridge| {
            matches!(
                bridge.port_type(),
                Reading::Known(PortType::RootPort | PortType::DownstreamPort)
            )
        })
    }

    fn scan(&self) -> Vec<Node> {
        let is_virtual = |node: &Node| {
            let facts = self.facts.get(*node);
            facts.is_some_and(|facts| facts.physical_function.is_some())
        };
        let roots = self
            .buses
            .iter()
            .filter(|(_, entry)| !matches!(entry.above, Above::Bridge(_)));
        let mut open: Vec<Bus> = roots.rev().map(|(bus, _)| *bus).collect();
        let mut order = Vec::with_capacity(self.functions.len());
        while let Some(bus) = open.pop() {
            let members = self.members(bus);
            order.extend(members.iter().filter(|node| !is_virtual(node)));
            let bridges = members
                .iter()
                .rev()
                .filter_map(|node| self.functions.get(*node));
            for bridge in bridges {
                open.extend(self.buses_behind(bridge.address).iter().rev());
            }
        }
        order.extend((0..self.functions.len()).filter(is_virtual));
        order
    }
}

#[cfg(test)]
mod tests;
