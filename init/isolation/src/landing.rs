use std::collections::BTreeSet;

use hardware::{Function, LinkRate, Reading};
use pci::{Address, ConfigSpace, FunctionId, PortType};
use serde::Serialize;

use crate::attachment::{attachment, is_chipset_switch};
use crate::grouping::{Group, Grouping, Tree};
use crate::topology::{Above, Bus, Node};
use crate::{Attachment, Doubt, Predictor};

/// What would become of a card in another slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Landing {
    /// The root or downstream port above the slot.
    pub port: Address,
    /// The slot's name, where something in it has shown it.
    pub slot: Option<String>,
    /// The slot's number in the port's slot capabilities.
    pub slot_number: Option<u16>,
    /// What is in the slot now, and would have to leave.
    pub occupants: Vec<Address>,
    /// The port's link at best.
    pub link: Option<LinkRate>,
    /// Whether the slot is the processor's or the chipset's.
    pub attachment: Attachment,
    /// Functions of others that would be in a group with the card.
    pub shares_with: Vec<Address>,
    /// What could not be read and would make that list shorter if it isolates.
    pub doubts: Vec<Doubt>,
}

/// A card as something that can be moved.
struct Card {
    /// What is at device 0 of the bus behind the port.
    top: Vec<Node>,
    /// All of it in scan order, with what is behind its own switch.
    all: Vec<Node>,
    inside: BTreeSet<Address>,
    port: Address,
}

/// Downstream ports of switches that are part of a graphics card.
const CARD_SWITCHES: &[FunctionId] = &[
    // Vega 10, Navi
    FunctionId::new(0x1022, 0x1471),
    FunctionId::new(0x1002, 0x1479),
    // Arc
    FunctionId::new(0x8086, 0x4fa4),
    FunctionId::new(0x8086, 0xe2f0),
];

/// A machine in which cards are moved, one at a time. What is the same for all of them is worked out once.
pub struct Mover<'p, 'a> {
    pub(crate) predictor: &'p Predictor<'a>,
    /// By the group's number.
    members: Vec<Vec<Address>>,
    slots: Vec<Slot>,
    pub(crate) trial: Grouping,
    /// Worked out when first asked for.
    pub(crate) trees: Option<Vec<Tree>>,
}

impl Mover<'_, '_> {
    /// Where the card with these functions would land in each other slot, by the port's address. None for what
    /// is no card in a PCI Express slot. Bridges are grouped before what is behind them, so a card that goes
    /// or comes moves nothing but itself.
    pub fn landings(&mut self, card: &[Address]) -> Vec<Landing> {
        let Some(whole) = self.predictor.card(card) else {
            return Vec::new();
        };
        let slots = self.slots.iter();
        // A port further up leads to the card, too.
        let others = slots.filter(|slot| {
            slot.port != whole.port
                && !whole.inside.contains(&slot.port)
                && !slot.occupants.contains(&whole.port)
        });
        let mut landings = Vec::new();
        for slot in others {
            let (landed, mut doubts) = land(self.predictor, &mut self.trial, &whole, card, slot);
            let mut shares_with = BTreeSet::new();
            for group in landed {
                let members = self.members.get(group).map_or(&[][..], Vec::as_slice);
                let others = members.iter().filter(|other| {
                    !whole.inside.contains(other) && !slot.occupants.contains(other)
                });
                shares_with.extend(others.copied());
                doubts.extend(self.predictor.doubts(group, members));
            }
            landings.push(Landing {
                port: slot.port,
                slot: slot.name.clone(),
                slot_number: slot.number,
                occupants: slot.occupants.iter().copied().collect(),
                link: slot.link,
                attachment: slot.attachment,
                shares_with: shares_with.into_iter().collect(),
                doubts: doubts.into_iter().collect(),
            });
        }
        self.trial.put_back(&self.predictor.grouping, &whole.all);
        landings
    }
}

/// The groups that the card's functions would be in, and what that rests on.
fn land(
    predictor: &Predictor,
    trial: &mut Grouping,
    whole: &Card,
    card: &[Address],
    slot: &Slot,
) -> (BTreeSet<Group>, BTreeSet<Doubt>) {
    trial.take_out(whole.all.iter().copied());
    trial.plug(slot.node, &whole.top);
    let by_address: BTreeSet<Node> = whole.all.iter().copied().collect();
    trial.retrace(by_address);
    let mut landed = BTreeSet::new();
    let mut doubts = BTreeSet::new();
    for node in whole.all.iter().copied() {
        // What no IOMMU covers stays uncovered.
        if predictor.grouping.group_of(node).is_none() {
            continue;
        }
        let (group, met) = trial.place(node);
        let address = trial.member(node).map(|member| member.address);
        if address.is_some_and(|address| card.contains(&address)) {
            landed.insert(group);
            doubts.extend(met.into_iter().filter_map(|cause| trial.in_words(cause)));
        }
    }
    (landed, doubts)
}

impl<'a> Predictor<'a> {
    /// For moving cards of this machine, into so many of its slots at most: the first ones, by the port's
    /// address.
    pub fn mover(&self, slots: usize) -> Mover<'_, 'a> {
        let ports = self.topology.functions();
        let found = ports.filter_map(|port| self.slot(port));
        Mover {
            predictor: self,
            members: self.members(),
            slots: found.take(slots).collect(),
            trial: self.grouping.clone(),
            trees: None,
        }
    }

    /// [`Mover::landings`] of one card.
    pub fn landings(&self, card: &[Address]) -> Vec<Landing> {
        self.mover(usize::MAX).landings(card)
    }

    fn card(&self, functions: &[Address]) -> Option<Card> {
        let mut at = *functions.first()?;
        let mut port = self.bridge_above(at)?;
        while CARD_SWITCHES.contains(&port.id) {
            let upstream = self.bridge_above(port.address)?;
            at = upstream.address;
            port = self.bridge_above(at)?;
        }
        if !is_port(port) {
            return None;
        }
        let top: Vec<Node> = self
            .topology
            .on_bus(Bus::of(at))
            .filter(|function| function.address.slot() == at.slot())
            .filter_map(|function| self.topology.node(function.address))
            .collect();
        let inside = self.topology.below(port.address);
        let order = self.topology.scan_order().iter().copied();
        let all = order.filter(|node| {
            let member = self.grouping.member(*node);
            member.is_some_and(|member| inside.contains(&member.address))
        });
        Some(Card {
            top,
            all: all.collect(),
            inside,
            port: port.address,
        })
    }

    fn bridge_above(&self, address: Address) -> Option<&Function> {
        match self.topology.above(Bus::of(address))? {
            Above::Bridge(bridge) => self.topology.function(*bridge),
            Above::Root | Above::Unseen(_) => None,
        }
    }

    /// The slot of a port: one that the port implements or the board names; where neither was read, one that
    /// holds a card. A chipset is none, whatever its port says.
    fn slot(&self, port: &Function) -> Option<Slot> {
        if !is_port(port) {
            return None;
        }
        let config = port.config.known().filter(|config| !config.is_gone());
        let number = config.and_then(ConfigSpace::slot_number);
        let buses = self.topology.buses_behind(port.address).iter();
        let held: Vec<&Function> = buses.flat_map(|bus| self.topology.on_bus(*bus)).collect();
        let name = held
            .iter()
            .find_map(|occupant| occupant.slot.known().cloned());
        if held.iter().any(|occupant| is_chipset_switch(occupant)) {
            return None;
        }
        let is_read = config.is_some_and(|config| config.port_type().is_some());
        let holds_card = held
            .first()
            .is_some_and(|first| first.port_type() != Reading::Known(PortType::UpstreamPort));
        let exists = number.is_some() || name.is_some() || (!is_read && holds_card);
        exists.then_some(Slot {
            port: port.address,
            node: self.topology.node(port.address)?,
            name,
            number,
            occupants: self.topology.below(port.address),
            link: link_at_best(port),
            attachment: attachment(&self.topology, port.address),
        })
    }
}

/// From sysfs, else from the link capabilities.
fn link_at_best(port: &Function) -> Option<LinkRate> {
    if let Some(link) = port.link.known() {
        return Some(link.max);
    }
    let capabilities = port.config.known()?.express()??.link?.capabilities;
    let speed = capabilities.max_speed().tenths_of_gigatransfers();
    let tenths = speed.and_then(|tenths| u16::try_from(tenths).ok());
    let rate = LinkRate {
        speed: f32::from(tenths.unwrap_or(0)) / 10.0,
        width: u8::try_from(capabilities.max_width()).ok()?,
    };
    (!rate.is_unknown()).then_some(rate)
}

struct Slot {
    port: Address,
    node: Node,
    name: Option<String>,
    number: Option<u16>,
    occupants: BTreeSet<Address>,
    link: Option<LinkRate>,
    attachment: Attachment,
}

fn is_port(function: &Function) -> bool {
    matches!(
        function.port_type(),
        Reading::Known(PortType::RootPort | PortType::DownstreamPort)
    )
}

#[cfg(test)]
mod tests;
