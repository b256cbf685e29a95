use std::collections::BTreeMap;

use hardware::{Machine, Reading};
use pci::Address;
use serde::Serialize;

use crate::{Doubt, Override, Platform, Predictor, Term};

/// What an override costs: it declares isolation that no hardware enforces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Price {
    /// Functions that are taken to isolate from here on, and do not.
    pub declared: Vec<Declared>,
    /// Groups that come apart.
    pub split: Vec<Split>,
    /// Functions that may be declared: whether they have ACS of their own could not be read.
    pub unknown: Vec<Doubt>,
}

/// A function that the override declares isolated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// The function.
    pub function: Address,
    /// The word of the override that means it.
    pub by: Term,
}

/// A group that comes apart though nothing keeps its functions from each other: one can read and write
/// another's memory without the IOMMU's seeing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Split {
    /// The group without the override.
    pub functions: Vec<Address>,
    /// The groups that it becomes.
    pub parts: Vec<Vec<Address>>,
}

/// What this override costs on this machine, where an IOMMU covers everything.
pub fn price(machine: &Machine, requested: &Override) -> Price {
    let platform = Platform::default();
    let plain = Predictor::new(machine, &Override::NONE, &platform);
    price_between(&plain, &Predictor::new(machine, requested, &platform))
}

/// What it costs to go from one prediction to another of the same machine, under an override.
pub fn price_between(plain: &Predictor, overridden: &Predictor) -> Price {
    let mut price = Price {
        declared: Vec::new(),
        split: Vec::new(),
        unknown: Vec::new(),
    };
    for function in overridden.topology().functions() {
        let function = function.address;
        let Some(state) = overridden.acs(function) else {
            continue;
        };
        if let Some(by) = state.declared_by {
            price.declared.push(Declared { function, by });
        } else if let Reading::Unknown(why) = &state.capability
            && plain.acs(function) != Some(state)
        {
            let why = why.clone();
            price.unknown.push(Doubt {
                function,
                why: why.clone().into_owned(),
            });
        }
    }
    let after = overridden.prediction();
    for group in plain.prediction().groups {
        let mut parts: BTreeMap<u32, Vec<Address>> = BTreeMap::new();
        for function in &group.functions {
            if let Some(part) = after.group_of(*function) {
                parts.entry(part.id).or_default().push(*function);
            }
        }
        if parts.len() > 1 {
            price.split.push(Split {
                functions: group.functions,
                parts: parts.into_values().collect(),
            });
        }
    }
    price
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, endpoint, machine, root_port};

    fn all(places: &[&str]) -> Vec<Address> {
        places.iter().map(|place| address(place)).collect()
    }

    #[test]
    fn an_override_that_changes_nothing_costs_nothing() {
        let machine = machine([root_port("00:01.0", 1).acs(0x1d, 0), endpoint("01:00.0")]);
        let price = price(&machine, &"downstream,multifunction".parse().unwrap());
        assert_eq!(
            (price.declared, price.split, price.unknown),
            (vec![], vec![], vec![])
        );
    }

    #[test]
    fn a_group_that_comes_apart_is_named_with_its_parts_and_the_ports_that_do_not_isolate() {
        let machine = machine([
            root_port("00:01.0", 1).multifunction(),
            root_port("00:01.1", 2),
            endpoint("01:00.0").multifunction(),
            endpoint("01:00.1"),
            endpoint("02:00.0"),
        ]);
        let price = price(&machine, &Override::of([Term::Downstream]));
        let declared: Vec<_> = price.declared.iter().map(|one| one.function).collect();
        assert_eq!(declared, all(&["00:01.0", "00:01.1"]));
        assert!(price.declared.iter().all(|one| one.by == Term::Downstream));
        let split = Split {
            functions: all(&["00:01.0", "00:01.1", "01:00.0", "01:00.1", "02:00.0"]),
            parts: vec![
                all(&["00:01.0"]),
                all(&["00:01.1"]),
                all(&["01:00.0", "01:00.1"]),
                all(&["02:00.0"]),
            ],
        };
        assert_eq!(price.split, [split]);
    }

    #[test]
    fn a_function_whose_capability_was_not_read_may_be_declared() {
        let machine = machine([root_port("00:01.0", 1).short(), endpoint("01:00.0")]);
        let price = price(&machine, &Override::of([Term::Downstream]));
        assert_eq!(price.declared, vec![]);
        assert_eq!(price.unknown.len(), 1);
        assert_eq!(price.unknown[0].function, address("00:01.0"));
        assert!(price.unknown[0].why.contains("256 bytes"));
        assert_eq!(price.split.len(), 1);
    }
}
