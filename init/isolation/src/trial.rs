//! An override tried on the part of a machine that a card is in.

use std::collections::BTreeSet;

use pci::{Address, AddressMap};

use crate::topology::Node;
use crate::{Mover, Override, Predictor};

/// The groups of a part of a machine, as another override would make them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    groups: Vec<Vec<Address>>,
    of: AddressMap<usize>,
}

impl Part {
    /// The members of a function's group, by address; none for a function of another part of the machine, or
    /// one that no IOMMU covers.
    pub fn group_of(&self, function: Address) -> Option<&[Address]> {
        let group = self.groups.get(*self.of.get(&function)?)?;
        Some(group)
    }
}

impl Mover<'_, '_> {
    /// The groups that these functions would be in under another override. Only the parts of the machine
    /// that they are in are gone through: nothing else says anything about their groups.
    pub fn under(&mut self, requested: &Override, functions: &[Address]) -> Part {
        let predictor = self.predictor;
        let order = predictor.topology.scan_order();
        let trees = self.trees.get_or_insert_with(|| self.trial.trees());
        let wanted = functions
            .iter()
            .filter_map(|function| predictor.topology.node(*function));
        let wanted: BTreeSet<_> = wanted.filter_map(|node| trees.get(node)).collect();
        let is_wanted = |node: &Node| trees.get(*node).is_some_and(|tree| wanted.contains(tree));
        let nodes: Vec<Node> = order.iter().copied().filter(is_wanted).collect();
        let judge = predictor.judge(requested);
        for node in &nodes {
            if let Some(state) = predictor.state_under(&judge, *node) {
                self.trial.set_acs(*node, state);
            }
        }
        self.trial.take_out(nodes.iter().copied());
        let by_address: BTreeSet<Node> = nodes.iter().copied().collect();
        self.trial.retrace(by_address);
        let mut part = Part::default();
        let mut places = std::collections::BTreeMap::new();
        // What no IOMMU covers stays uncovered.
        let is_covered = |node: &&Node| predictor.grouping.group_of(**node).is_some();
        for node in nodes.iter().filter(is_covered) {
            let (group, _) = self.trial.place(*node);
            let Some(function) = predictor.topology.at(*node) else {
                continue;
            };
            let place = *places.entry(group).or_insert_with(|| {
                part.groups.push(Vec::new());
                part.groups.len() - 1
            });
            part.of.insert(function.address, place);
            if let Some(group) = part.groups.get_mut(place) {
                group.push(function.address);
            }
        }
        for group in &mut part.groups {
            group.sort_unstable();
        }
        self.trial.put_back(&predictor.grouping, &nodes);
        part
    }
}

impl Predictor<'_> {
    /// The functions that an override declares isolated though no hardware isolates them, by address.
    pub fn declared(&self, requested: &Override) -> Vec<Address> {
        let judge = self.judge(requested);
        let nodes = 0..self.topology.functions().count();
        let declared = nodes.filter(|node| {
            let state = self.state_under(&judge, *node);
            state.is_some_and(|state| state.declared_by.is_some())
        });
        let declared = declared.filter_map(|node| self.topology.at(node));
        declared.map(|function| function.address).collect()
    }
}
