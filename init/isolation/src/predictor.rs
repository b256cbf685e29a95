use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hardware::{Function, Machine, Reading};
use pci::{Address, AddressMap, FunctionId};
use serde::Serialize;

use crate::acs::{Judge, States};
use crate::alias::{self, Devfns};
use crate::grouping::{BusEntry, BusIndex, Group, Grouping, Member, Up};
use crate::topology::{Above, Bus, FIRST_VMD_DOMAIN, Node, devfn};
use crate::{AcsState, Basis, MODEL, Override, Platform, Topology};

/// Why a prediction is not certain: something about this function could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Doubt {
    /// The function.
    pub function: Address,
    /// What could not be read.
    pub why: String,
}

/// One group as the kernel would make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PredictedGroup {
    /// Its number, in the order in which the kernel makes groups. The kernel's own numbers can differ.
    pub id: u32,
    /// Members by address.
    pub functions: Vec<Address>,
    /// What was taken as not isolating because it could not be read. Without any the group is certain.
    pub doubts: Vec<Doubt>,
}

/// The groups of a machine as the kernel would make them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prediction {
    /// The kernel whose rules were followed.
    pub model: &'static str,
    /// By id.
    pub groups: Vec<PredictedGroup>,
    /// Functions that no IOMMU covers, by address: they are in no group.
    pub ungrouped: Vec<Address>,
    /// Places in `groups`.
    #[serde(skip)]
    index: AddressMap<usize>,
}

/// A machine and an override, with everything that prediction needs worked out once.
pub struct Predictor<'a> {
    machine: &'a Machine,
    pub(crate) topology: Rc<Topology<'a>>,
    pub(crate) grouping: Grouping,
    states: Vec<Rc<AcsState>>,
    has_override: bool,
    ungrouped: Vec<Address>,
    notes: Vec<Doubt>,
}

/// The groups of this machine under this override, where an IOMMU covers everything.
pub fn predict(machine: &Machine, requested: &Override) -> Prediction {
    Predictor::new(machine, requested, &Platform::default()).prediction()
}

impl PredictedGroup {
    /// Whether everything that decided it was read.
    pub fn is_certain(&self) -> bool {
        self.doubts.is_empty()
    }
}

impl Prediction {
    /// The group that has this function.
    pub fn group_of(&self, function: Address) -> Option<&PredictedGroup> {
        self.groups.get(*self.index.get(&function)?)
    }

    /// Everything that could not be read and made a difference, by function.
    pub fn unknown(&self) -> BTreeSet<&Doubt> {
        self.groups.iter().flat_map(|group| &group.doubts).collect()
    }
}

impl<'a> Predictor<'a> {
    /// Follows the kernel's rule for every function of the machine.
    pub fn new(machine: &'a Machine, requested: &Override, platform: &Platform) -> Self {
        let topology = Rc::new(Topology::of(machine));
        let judge = Judge::new(machine, &topology, requested);
        let mut shared = States::default();
        let states = topology.judged();
        let states = states.map(|(function, facts)| {
            shared.shared(judge.judge(function.address, function.id, facts))
        });
        let states = states.collect();
        Self::on(machine, topology, states, requested, platform)
    }

    /// The same machine under another override.
    pub fn under(&self, requested: &Override, platform: &Platform) -> Self {
        let topology = Rc::clone(&self.topology);
        let judge = Judge::new(self.machine, &topology, requested);
        let nodes = 0..self.states.len();
        let mut states = Vec::with_capacity(self.states.len());
        states.extend(nodes.filter_map(|node| self.state_under(&judge, node)));
        Self::on(self.machine, topology, states, requested, platform)
    }

    /// What judges functions under another override.
    pub(crate) fn judge<'o>(&self, requested: &'o Override) -> Judge<'_, 'a, 'o> {
        Judge::new(self.machine, &self.topology, requested)
    }

    /// Access control of a function under another override, which changes few functions of a large machine.
    pub(crate) fn state_under(&self, judge: &Judge, node: Node) -> Option<Rc<AcsState>> {
        let function = self.topology.at(node)?;
        let facts = self.topology.facts_of(node)?;
        if self.has_override || judge.is_asked(function.id, facts) {
            Some(Rc::new(judge.judge(function.address, function.id, facts)))
        } else {
            self.states.get(node).cloned()
        }
    }

    fn on(
        machine: &'a Machine,
        topology: Rc<Topology<'a>>,
        states: Vec<Rc<AcsState>>,
        requested: &Override,
        platform: &Platform,
    ) -> Self {
        let grouping = grouping(&topology, &states, platform);
        let mut predictor = Self {
            notes: command_line_notes(machine, &topology, &states),
            grouping,
            states,
            has_override: !requested.is_none(),
            ungrouped: Vec::new(),
            machine,
            topology,
        };
        let topology = Rc::clone(&predictor.topology);
        for node in topology.scan_order() {
            if let Some(function) = topology.at(*node) {
                predictor.place(*node, function, platform);
            }
        }
        predictor.ungrouped.sort_unstable();
        predictor
    }

    fn place(&mut self, node: Node, function: &Function, platform: &Platform) {
        if (platform.covers)(function) {
            let (group, doubts) = self.grouping.place(node);
            self.grouping.record(group, doubts);
        } else {
            self.ungrouped.push(function.address);
        }
    }

    /// How the machine's buses hang together.
    pub fn topology(&self) -> &Topology<'a> {
        &self.topology
    }

    /// Access control of a function.
    pub fn acs(&self, address: Address) -> Option<&AcsState> {
        self.states
            .get(self.topology.node(address)?)
            .map(Rc::as_ref)
    }

    /// The groups.
    pub fn prediction(&self) -> Prediction {
        let members = self.members().into_iter().enumerate();
        let members = members.filter(|(_, functions)| !functions.is_empty());
        let groups: Vec<_> = members
            .zip(0..)
            .map(|((group, functions), id)| PredictedGroup {
                id,
                doubts: self.doubts(group, &functions),
                functions,
            })
            .collect();
        let members = groups.iter().zip(0..);
        Prediction {
            model: MODEL,
            index: members
                .flat_map(|(group, at)| group.functions.iter().map(move |one| (*one, at)))
                .collect(),
            groups,
            ungrouped: self.ungrouped.clone(),
        }
    }

    /// The members of each group, by address, at the group's number.
    pub(crate) fn members(&self) -> Vec<Vec<Address>> {
        let mut members = vec![Vec::new(); self.grouping.groups()];
        for (address, group) in self.grouping.grouped() {
            let known: Option<&mut Vec<Address>> = members.get_mut(group);
            if let Some(known) = known {
                known.push(address);
            }
        }
        members
    }

    /// Doubts about a group; the command line matters to the group of each function whose services it may
    /// have switched off.
    pub(crate) fn doubts(&self, group: Group, functions: &[Address]) -> Vec<Doubt> {
        let notes = self.notes.iter();
        let notes = notes.filter(|note| functions.binary_search(&note.function).is_ok());
        self.grouping.doubts(group).chain(notes.cloned()).collect()
    }
}

/// Parameters by which a person takes services away from chosen functions. They are at work with the IOMMU
/// off, too, but which functions they mean shows only in the control registers of a kernel that uses one.
const ACS_PARAMETERS: [&str; 2] = ["disable_acs_redir=", "config_acs="];

fn command_line_notes(
    machine: &Machine,
    topology: &Topology,
    states: &[Rc<AcsState>],
) -> Vec<Doubt> {
    let line = machine.kernel.command_line.known();
    let parameter = line.and_then(|line| ACS_PARAMETERS.iter().find(|name| line.contains(**name)));
    let Some(parameter) = parameter else {
        return Vec::new();
    };
    let affected = topology.functions().zip(states).filter(|(_, state)| {
        state.basis == Basis::Capability && matches!(state.capability, Reading::Known(_))
    });
    affected
        .map(|(function, _)| Doubt {
            function: function.address,
            why: format!("the kernel command line has {parameter}, which may switch its ACS off"),
        })
        .collect()
}

/// Intel's Volume Management Devices: what is in the domain of one does DMA in its name.
const VMD: [FunctionId; 10] = {
    const fn intel(device: u16) -> FunctionId {
        FunctionId::new(0x8086, device)
    }
    [
        intel(0x201d),
        intel(0x28c0),
        intel(0x467f),
        intel(0x4c3d),
        intel(0x7d0b),
        intel(0x9a0b),
        intel(0xa77f),
        intel(0xad0b),
        intel(0xb06f),
        intel(0xb60b),
    ]
};

/// The controller of each domain that the VMD driver has made. It gives them numbers in the order of the
/// controllers; where their counts differ nothing tells which is whose.
fn vmd_controllers(topology: &Topology) -> BTreeMap<u32, Option<Node>> {
    let domains: BTreeSet<u32> = topology
        .buses()
        .map(|(bus, _)| bus.domain)
        .filter(|domain| *domain >= FIRST_VMD_DOMAIN)
        .collect();
    let controllers: Vec<Node> = topology
        .functions()
        .filter(|function| VMD.contains(&function.id))
        .filter(|function| function.driver.known().is_none_or(|driver| driver == "vmd"))
        .filter_map(|function| topology.node(function.address))
        .collect();
    let same = controllers.len() == domains.len();
    let own = controllers.into_iter().map(|node| same.then_some(node));
    domains
        .into_iter()
        .zip(own.chain(std::iter::repeat(None)))
        .collect()
}

fn grouping(topology: &Topology, states: &[Rc<AcsState>], platform: &Platform) -> Grouping {
    let controllers = vmd_controllers(topology);
    let indices: BTreeMap<Bus, BusIndex> = topology.buses().map(|(bus, _)| bus).zip(0..).collect();
    let up = |bus: Bus, above: &Above| match above {
        Above::Root if controllers.get(&bus.domain) == Some(&None) => Up::Unseen(format!(
            "which VMD controller has domain {:x} is not known",
            bus.domain
        )),
        Above::Root => Up::Root,
        Above::Bridge(bridge) => topology.node(*bridge).map_or(Up::Root, Up::Bridge),
        Above::Unseen(why) => Up::Unseen(why.clone()),
    };
    let buses = topology.buses().map(|(bus, above)| BusEntry {
        up: up(bus, above),
        members: topology.members(bus).to_vec(),
    });
    let judged = topology.functions().enumerate().zip(states);
    let judged = judged.filter_map(|((node, function), state)| {
        let bus = Bus::of(function.address);
        Some(Member {
            address: function.address,
            bus: *indices.get(&bus)?,
            devfn: devfn(function.address),
            port: topology.facts_of(node)?.port.clone(),
            acs: Rc::clone(state),
            multifunction: topology.facts_of(node)?.multifunction,
            aliases: aliases(function, platform),
            translation_root: alias::is_translation_root(function.id),
            dma_for: controllers.get(&bus.domain).copied().flatten(),
            group: None,
        })
    });
    let mut members = Vec::with_capacity(states.len());
    members.extend(judged);
    Grouping::new(members, buses.collect())
}

fn aliases(function: &Function, platform: &Platform) -> Devfns {
    let mut set = alias::aliases(function);
    let own = function.address;
    let named =
        (platform.alias)(own).filter(|alias| *alias != own && Bus::of(*alias) == Bus::of(own));
    if let Some(alias) = named {
        set.insert(devfn(alias));
    }
    set
}

#[cfg(test)]
mod tests;
