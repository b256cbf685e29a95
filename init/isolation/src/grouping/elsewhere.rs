//! Trying something else: another place for a card, other access control.

use std::rc::Rc;

use super::{BusEntry, Grouping, Tree, Up};
use crate::AcsState;
use crate::topology::Node;

impl Grouping {
    /// A function's tree, for each function: those of different trees are never in one group, and what one does
    /// says nothing about another. It is a device on a root bus with all that is behind it; where a bus has
    /// aliases, or nobody knows what is above, all that is on the bus.
    pub fn trees(&self) -> Vec<Tree> {
        let mut trees = vec![(0, 0); self.members.len()];
        // What is in the domain of a VMD controller goes with the controller, which may be anywhere.
        if self.members.iter().any(|member| member.dma_for.is_some()) {
            return trees;
        }
        let own = |node: Node, trees: &[Tree]| {
            let member = self.members.get(node)?;
            let bus = self.buses.get(member.bus)?;
            let aliased = self.aliased.get(member.bus)?;
            Some(match bus.up {
                Up::Bridge(bridge) => *trees.get(bridge)?,
                Up::Root if aliased.is_empty() => (member.bus, member.devfn >> 3),
                Up::Root | Up::Unseen(_) => (member.bus, u8::MAX),
            })
        };
        // By address every bridge is before what is behind it.
        for node in 0..self.members.len() {
            let tree = own(node, &trees);
            if let (Some(place), Some(tree)) = (trees.get_mut(node), tree) {
                *place = tree;
            }
        }
        trees
    }

    /// Gives a function other access control.
    pub fn set_acs(&mut self, node: Node, acs: Rc<AcsState>) {
        if let Some(member) = self.members.get_mut(node) {
            member.acs = acs;
        }
    }

    /// Takes functions out of their groups.
    pub fn take_out(&mut self, nodes: impl IntoIterator<Item = Node>) {
        for node in nodes {
            if let Some(member) = self.members.get_mut(node) {
                member.group = None;
            }
        }
    }

    /// A new bus behind a port, with these functions of one device on it. Which device number they have there
    /// makes no difference: nothing else is on the bus.
    pub fn plug(&mut self, port: Node, functions: &[Node]) {
        let bus = self.buses.len();
        self.buses.push(BusEntry {
            up: Up::Bridge(port),
            members: functions.to_vec(),
        });
        for node in functions {
            if let Some(member) = self.members.get_mut(*node) {
                member.bus = bus;
            }
        }
        let aliased = functions.iter().copied();
        let aliased = aliased.filter(|node| self.has_alias(*node)).collect();
        self.aliased.push(aliased);
    }

    /// Undoes all moves of these functions and what came of them; `original` is as it was before.
    pub fn put_back(&mut self, original: &Self, nodes: &[Node]) {
        self.buses.truncate(original.buses.len());
        self.aliased.truncate(original.aliased.len());
        self.doubts.truncate(original.doubts.len());
        self.below_unseen.clone_from(&original.below_unseen);
        for node in nodes {
            let members = (self.members.get_mut(*node), original.members.get(*node));
            if let (Some(moved), Some(member)) = members {
                moved.clone_from(member);
            }
            let paths = (self.paths.get_mut(*node), original.paths.get(*node));
            if let (Some(traced), Some(path)) = paths {
                *traced = *path;
            }
        }
    }

    /// Works out whether the way up isolates, for functions by address.
    pub fn retrace(&mut self, nodes: impl IntoIterator<Item = Node>) {
        for node in nodes {
            let path = self.path(node);
            if let Some(place) = self.paths.get_mut(node) {
                *place = path;
            }
        }
    }
}
