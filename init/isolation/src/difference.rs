use std::collections::{BTreeMap, BTreeSet};

use hardware::Machine;
use pci::Address;
use serde::Serialize;

use crate::Prediction;

/// A function that the kernel has in another group than was predicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The function.
    pub function: Address,
    /// Members of the kernel's group, itself among them; empty when it is in none.
    pub kernel: Vec<Address>,
    /// Members of the predicted group; empty when it is in none.
    pub predicted: Vec<Address>,
}

/// Where prediction and kernel differ, function by function. None when the kernel's groups were not read, or
/// when it has none.
pub fn differences(machine: &Machine, prediction: &Prediction) -> Option<Vec<Difference>> {
    let mut kernel: BTreeMap<u32, BTreeSet<Address>> = BTreeMap::new();
    for group in machine.groups.known().into_iter().flatten() {
        kernel.entry(group.id).or_default().extend(&group.functions);
    }
    for function in &machine.functions {
        if let Some(id) = function.group.known() {
            kernel.entry(*id).or_default().insert(function.address);
        }
    }
    if kernel.is_empty() {
        return None;
    }
    let kernel: BTreeMap<Address, Vec<Address>> = kernel
        .into_values()
        .flat_map(|members| {
            let all: Vec<Address> = members.iter().copied().collect();
            members.into_iter().map(move |member| (member, all.clone()))
        })
        .collect();
    let mut predicted: BTreeMap<Address, &[Address]> = BTreeMap::new();
    for group in &prediction.groups {
        predicted.extend(
            group
                .functions
                .iter()
                .map(|member| (*member, &group.functions[..])),
        );
    }
    let functions: BTreeSet<Address> = machine.functions.iter().map(|f| f.address).collect();
    let compared = functions.into_iter().map(|function| Difference {
        function,
        kernel: kernel.get(&function).cloned().unwrap_or_default(),
        predicted: predicted
            .get(&function)
            .map_or_else(Vec::new, |all| all.to_vec()),
    });
    Some(
        compared
            .filter(|pair| pair.kernel != pair.predicted)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use hardware::{Group, Reading};

    use super::*;
    use crate::testing::{address, endpoint, machine, root_port};
    use crate::{Override, predict};

    fn compared(groups: &[&[&str]]) -> Option<Vec<String>> {
        let mut machine = machine([
            root_port("00:01.0", 1).acs(0x1d, 0x1d),
            root_port("00:02.0", 2),
            endpoint("01:00.0"),
            endpoint("02:00.0"),
        ]);
        let groups = groups.iter().zip(10..).map(|(members, id)| Group {
            id,
            functions: members.iter().map(|place| address(place)).collect(),
            reserved_regions: Reading::Absent,
        });
        machine.groups = Reading::Known(groups.collect());
        let prediction = predict(&machine, &Override::NONE);
        let found = differences(&machine, &prediction)?;
        Some(
            found
                .into_iter()
                .map(|one| one.function.to_string())
                .collect(),
        )
    }

    #[test]
    fn equal_groups_have_no_difference_whatever_their_numbers() {
        let groups: &[&[&str]] = &[&["00:02.0", "02:00.0"], &["00:01.0"], &["01:00.0"]];
        assert_eq!(compared(groups), Some(vec![]));
    }

    #[test]
    fn every_function_of_a_group_that_differs_is_named() {
        let apart: &[&[&str]] = &[&["00:02.0"], &["02:00.0"], &["00:01.0"], &["01:00.0"]];
        assert_eq!(compared(apart).unwrap(), ["0000:00:02.0", "0000:02:00.0"]);
        let missing: &[&[&str]] = &[&["00:02.0", "02:00.0"], &["00:01.0"]];
        assert_eq!(compared(missing).unwrap(), ["0000:01:00.0"]);
    }

    #[test]
    fn without_a_kernels_groups_there_is_nothing_to_compare() {
        assert_eq!(compared(&[]), None);
    }

    #[test]
    fn groups_that_only_the_functions_name_are_compared_too() {
        let mut machine = machine([root_port("00:01.0", 1), endpoint("01:00.0")]);
        machine.groups = Reading::Unknown("not copied".into());
        for (function, id) in machine.functions.iter_mut().zip([3, 4]) {
            function.group = Reading::Known(id);
        }
        let prediction = predict(&machine, &Override::NONE);
        assert_eq!(differences(&machine, &prediction).unwrap().len(), 2);
    }
}
