//! The kernel's grouping (`pci_device_group`, drivers/iommu/iommu.c), function by function in the order in
//! which the kernel finds them: each joins a group that is there already, or gets one of its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use hardware::Reading;
use pci::{Address, PortType};

use crate::alias::Devfns;
use crate::topology::Node;
use crate::{AcsState, Doubt, Isolation};

mod elsewhere;

/// Index of a bus in a [`Grouping`].
pub(crate) type BusIndex = usize;
/// Number of a group, in the order in which they were made.
pub(crate) type Group = usize;

/// A part of the machine by which functions are grouped apart from the rest: a root bus, and a device on it.
pub(crate) type Tree = (BusIndex, u8);

/// What the rule asks about one function.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub address: Address,
    pub bus: BusIndex,
    pub devfn: u8,
    pub port: Reading<PortType>,
    pub acs: Rc<AcsState>,
    pub multifunction: bool,
    pub aliases: Devfns,
    pub translation_root: bool,
    /// The function that does the DMA for this one (`pci_real_dma_dev`): a VMD controller for what is in its
    /// domain.
    pub dma_for: Option<Node>,
    pub group: Option<Group>,
}

#[derive(Clone, Debug)]
pub(crate) struct BusEntry {
    pub up: Up,
    pub members: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(crate) enum Up {
    Root,
    Bridge(Node),
    /// The bridge is not there to ask, and why that is known.
    Unseen(String),
}

/// Whether every bridge from one on up isolates (`pci_acs_path_enabled`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Isolated,
    Open,
    /// Not known, because of this bridge.
    Unclear(Node),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Grouping {
    members: Vec<Member>,
    buses: Vec<BusEntry>,
    /// On each bus the functions that have aliases.
    aliased: Vec<Vec<Node>>,
    paths: Vec<Path>,
    /// Why each group is not certain.
    doubts: Vec<Vec<Cause>>,
    below_unseen: BTreeMap<BusIndex, Group>,
}

/// What was not known of a function when it decided. Kept small: a machine can have one for each function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    function: Node,
    unknown: Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    Isolation,
    Port,
    /// The bridge above this bus.
    Above(BusIndex),
}

/// Where the rule leads.
enum Found {
    Group(Group),
    Nothing,
    /// To a bus below a bridge that nobody can ask: all of it is one group.
    BelowUnseen(BusIndex),
}

impl Grouping {
    /// The members are by address: so every bridge is before what is behind it.
    pub fn new(members: Vec<Member>, buses: Vec<BusEntry>) -> Self {
        let mut grouping = Self {
            paths: vec![Path::Open; members.len()],
            aliased: Vec::new(),
            members,
            buses,
            doubts: Vec::new(),
            below_unseen: BTreeMap::new(),
        };
        grouping.aliased = grouping
            .buses
            .iter()
            .map(|bus| {
                let nodes = bus.members.iter().copied();
                nodes.filter(|node| grouping.has_alias(*node)).collect()
            })
            .collect();
        grouping.retrace(0..grouping.members.len());
        grouping
    }

    pub fn member(&self, node: Node) -> Option<&Member> {
        self.members.get(node)
    }

    pub fn group_of(&self, node: Node) -> Option<Group> {
        self.members.get(node)?.group
    }

    /// How many groups there are; their numbers are below.
    pub fn groups(&self) -> usize {
        self.doubts.len()
    }

    /// Every function that is in a group, by address.
    pub fn grouped(&self) -> impl Iterator<Item = (Address, Group)> {
        let members = self.members.iter();
        members.filter_map(|member| Some((member.address, member.group?)))
    }

    pub fn doubts(&self, group: Group) -> impl Iterator<Item = Doubt> {
        let causes = self.doubts.get(group).map_or(&[][..], Vec::as_slice);
        causes.iter().filter_map(|cause| self.in_words(*cause))
    }

    /// A cause for a person.
    pub fn in_words(&self, cause: Cause) -> Option<Doubt> {
        let member = self.members.get(cause.function)?;
        let why = match cause.unknown {
            Unknown::Isolation => match member.acs.isolates() {
                Isolation::Unknown(why) => why,
                Isolation::Yes | Isolation::No => return None,
            },
            Unknown::Port => match &member.port {
                Reading::Unknown(why) => why.clone(),
                Reading::Known(_) | Reading::Absent => return None,
            },
            Unknown::Above(bus) => match &self.buses.get(bus)?.up {
                Up::Unseen(why) => why.clone(),
                Up::Root | Up::Bridge(_) => return None,
            }
            .into(),
        };
        Some(Doubt {
            function: member.address,
            why: why.into_owned(),
        })
    }

    /// Puts a function into its group. Returns the group, and what could not be read on the way there.
    pub fn place(&mut self, node: Node) -> (Group, Vec<Cause>) {
        let mut doubts = Vec::new();
        let group = match self.find(node, &mut doubts) {
            Found::Group(group) => group,
            Found::Nothing => self.new_group(),
            Found::BelowUnseen(bus) => {
                doubts.push(Cause {
                    function: node,
                    unknown: Unknown::Above(bus),
                });
                let known = self.below_unseen.get(&bus).copied();
                known.unwrap_or_else(|| {
                    let group = self.new_group();
                    self.below_unseen.insert(bus, group);
                    group
                })
            }
        };
        if let Some(member) = self.members.get_mut(node) {
            member.group = Some(group);
        }
        (group, doubts)
    }

    /// Notes what makes a group uncertain.
    pub fn record(&mut self, group: Group, doubts: Vec<Cause>) {
        if let Some(known) = self.doubts.get_mut(group) {
            for doubt in doubts {
                if !known.contains(&doubt) {
                    known.push(doubt);
                }
            }
        }
    }

    fn new_group(&mut self) -> Group {
        self.doubts.push(Vec::new());
        self.doubts.len() - 1
    }

    fn find(&self, node: Node, doubts: &mut Vec<Cause>) -> Found {
        // What the function's DMA looks like to the root complex (`pci_for_each_dma_alias`).
        let mut from = node;
        if let Some(controller) = self.members.get(node).and_then(|member| member.dma_for) {
            from = controller;
            if let Some(group) = self.group_of(from) {
                return Found::Group(group);
            }
        }
        let mut at = from;
        loop {
            let bridge = match self.above(at) {
                Some((_, Up::Bridge(bridge))) => *bridge,
                Some((bus, Up::Unseen(_))) => return Found::BelowUnseen(bus),
                Some((_, Up::Root)) | None => break,
            };
            let Some(member) = self.members.get(bridge) else {
                break;
            };
            if member.translation_root {
                break;
            }
            if aliases_what_is_behind(&member.port) {
                doubts.extend(member.port.is_unknown().then_some(Cause {
                    function: bridge,
                    unknown: Unknown::Port,
                }));
                from = bridge;
                if let Some(group) = member.group {
                    return Found::Group(group);
                }
            }
            at = bridge;
        }
        // From there up to where access control keeps peers apart.
        while let Some((_, Up::Bridge(bridge))) = self.above(from) {
            match self.paths.get(*bridge) {
                Some(Path::Isolated) => break,
                Some(Path::Unclear(at)) => doubts.extend(self.doubt(*at)),
                Some(Path::Open) | None => {}
            }
            from = *bridge;
            if let Some(group) = self.group_of(from) {
                return Found::Group(group);
            }
        }
        let mut seen = Devfns::default();
        let group = self
            .alias_group(from, &mut seen)
            .or_else(|| self.function_group(from, &mut seen));
        self.doubts_within_device(from, doubts);
        group.map_or(Found::Nothing, Found::Group)
    }

    /// The group of a function, or of one that uses its id or whose id it uses (`get_pci_alias_group`).
    fn alias_group(&self, node: Node, seen: &mut Devfns) -> Option<Group> {
        let member = self.members.get(node)?;
        if seen.has(member.devfn) {
            return None;
        }
        seen.insert(member.devfn);
        if member.group.is_some() {
            return member.group;
        }
        let on_bus = self.buses.get(member.bus)?;
        let aliased = self.aliased.get(member.bus)?;
        let candidates = if member.aliases.is_empty() {
            aliased
        } else {
            &on_bus.members
        };
        candidates
            .iter()
            .filter(|other| **other != node && self.are_aliases(node, **other))
            .find_map(|other| {
                self.alias_group(*other, seen)
                    .or_else(|| self.function_group(*other, seen))
            })
    }

    /// The group of another function of the same device, where neither isolates
    /// (`get_pci_function_alias_group`).
    fn function_group(&self, node: Node, seen: &mut Devfns) -> Option<Group> {
        let mut peers = self.peers(node);
        peers.find_map(|peer| self.alias_group(peer, seen))
    }

    /// The other functions of the device that could talk to this one.
    fn peers(&self, node: Node) -> impl Iterator<Item = Node> {
        let member = self.members.get(node);
        let open = member.filter(|member| member.multifunction && !member.acs.is_isolating());
        let bus = open.and_then(|member| self.buses.get(member.bus));
        let on_bus = bus.map_or(&[][..], |bus| &bus.members);
        on_bus.iter().copied().filter(move |other| {
            let other_member = self.members.get(*other);
            *other != node
                && open.zip(other_member).is_some_and(|(member, other)| {
                    other.devfn >> 3 == member.devfn >> 3 && !other.acs.is_isolating()
                })
        })
    }

    /// What is not known about a device's functions counts only where there is one to share with.
    fn doubts_within_device(&self, node: Node, doubts: &mut Vec<Cause>) {
        let peers: Vec<Node> = self.peers(node).collect();
        if !peers.is_empty() {
            let all = std::iter::once(node).chain(peers);
            doubts.extend(all.filter_map(|node| self.doubt(node)));
        }
    }

    fn are_aliases(&self, one: Node, other: Node) -> bool {
        let uses = |one: Node, other: Node| {
            let pair = self.members.get(one).zip(self.members.get(other));
            pair.is_some_and(|(one, other)| one.aliases.has(other.devfn))
        };
        uses(one, other) || uses(other, one)
    }

    fn has_alias(&self, node: Node) -> bool {
        let member = self.members.get(node);
        member.is_some_and(|member| !member.aliases.is_empty())
    }

    fn above(&self, node: Node) -> Option<(BusIndex, &Up)> {
        let bus = self.members.get(node)?.bus;
        Some((bus, &self.buses.get(bus)?.up))
    }

    fn path(&self, node: Node) -> Path {
        let isolates = self.members.get(node).map(|member| member.acs.answer());
        let own = match isolates {
            Some(Some(true)) => Path::Isolated,
            Some(None) => Path::Unclear(node),
            Some(Some(false)) | None => return Path::Open,
        };
        let above = match self.above(node) {
            Some((_, Up::Bridge(bridge))) => self.paths.get(*bridge).copied(),
            _ => Some(Path::Isolated),
        };
        match (own, above) {
            (_, Some(Path::Open) | None) => Path::Open,
            (Path::Isolated, Some(above)) => above,
            (own, _) => own,
        }
    }

    fn doubt(&self, node: Node) -> Option<Cause> {
        let unknown = self.members.get(node)?.acs.answer().is_none();
        unknown.then_some(Cause {
            function: node,
            unknown: Unknown::Isolation,
        })
    }
}

/// Conventional bridges and bridges between PCI Express and conventional PCI do DMA in the name of what is
/// behind them; ports of PCI Express do not. Whether an unread bridge does is not known: it is taken to.
fn aliases_what_is_behind(port: &Reading<PortType>) -> bool {
    matches!(
        port,
        Reading::Known(PortType::PcieToPciBridge | PortType::PciToPcieBridge)
            | Reading::Absent
            | Reading::Unknown(_)
    )
}

#[cfg(test)]
mod tests;
