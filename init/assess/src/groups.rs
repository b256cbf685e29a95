use std::collections::{BTreeMap, BTreeSet};

use hardware::{Function, Machine, Reading};
use isolation::{Difference, Override, Prediction, Predictor};
use pci::{Address, AddressMap};

use crate::{GroupSource, GroupSummary};

/// The groups that cards are judged by, and the others that are known.
pub(crate) struct Groups {
    /// Members by id: the kernel's groups, or the predicted ones where there are none or an override is
    /// asked for.
    judged: BTreeMap<u32, BTreeSet<Address>>,
    of: AddressMap<u32>,
    /// Whose the judged ones are.
    pub source: GroupSource,
    /// As the kernel's rules give them, under the override asked for.
    pub prediction: Prediction,
    /// Where kernel and prediction differ; none without a kernel's groups.
    pub differences: Option<Vec<Difference>>,
    kernel: BTreeMap<u32, BTreeSet<Address>>,
}

impl Groups {
    /// `asked` predicts under what the person asks for, `told` under what the running kernel was told where
    /// that is something else.
    pub fn new(
        machine: &Machine,
        told: Option<&Predictor>,
        asked: &Predictor,
        what: &Override,
    ) -> Self {
        let kernel = kernel_groups(machine);
        let prediction = asked.prediction();
        let differences = match told {
            Some(told) => isolation::differences(machine, &told.prediction()),
            None => isolation::differences(machine, &prediction),
        };
        let (judged, source) = if kernel.is_empty() || !what.is_none() {
            (predicted(&prediction), GroupSource::Predicted)
        } else {
            (kernel.clone(), GroupSource::Kernel)
        };
        let of = judged
            .iter()
            .flat_map(|(id, members)| members.iter().map(|member| (*member, *id)))
            .collect();
        Self {
            judged,
            of,
            source,
            prediction,
            differences,
            kernel,
        }
    }

    /// Members by id.
    pub fn judged(&self) -> &BTreeMap<u32, BTreeSet<Address>> {
        &self.judged
    }

    /// The group of a function; where the kernel has none for it, what was read of that.
    pub fn of(&self, function: &Function) -> Reading<u32> {
        match self.of.get(&function.address) {
            Some(id) => Reading::Known(*id),
            None if self.source == GroupSource::Predicted => Reading::Absent,
            None => function.group.clone(),
        }
    }

    /// Whether the running kernel has made any.
    pub fn has_kernels(&self) -> bool {
        !self.kernel.is_empty()
    }

    /// The kernel's own group of a function.
    pub fn kernels_of(&self, function: &Function) -> Reading<u32> {
        let listed = self.kernel.iter();
        let mut listed = listed.filter(|(_, members)| members.contains(&function.address));
        match (&function.group, listed.next()) {
            (Reading::Known(id), _) => Reading::Known(*id),
            (_, Some((id, _))) => Reading::Known(*id),
            (unread, None) => unread.clone(),
        }
    }

    /// What made the groups, for evidence.
    pub fn made_by(&self, kernel: &str) -> String {
        match self.source {
            GroupSource::Kernel => format!("groups made by {kernel}"),
            GroupSource::Predicted => {
                format!("groups predicted by the rules of {}", self.prediction.model)
            }
        }
    }

    /// The kernel's groups where it has them, else the predicted ones.
    pub fn first(&self) -> Vec<GroupSummary> {
        if self.kernel.is_empty() {
            return predicted_summaries(&self.prediction);
        }
        let groups = self.kernel.iter().map(|(id, members)| GroupSummary {
            id: *id,
            source: GroupSource::Kernel,
            functions: members.iter().copied().collect(),
        });
        groups.collect()
    }

    /// The predicted groups beside the kernel's.
    pub fn second(&self) -> Vec<GroupSummary> {
        if self.kernel.is_empty() {
            return Vec::new();
        }
        predicted_summaries(&self.prediction)
    }
}

fn predicted_summaries(prediction: &Prediction) -> Vec<GroupSummary> {
    let groups = prediction.groups.iter().map(|group| GroupSummary {
        id: group.id,
        source: GroupSource::Predicted,
        functions: group.functions.clone(),
    });
    groups.collect()
}

fn predicted(prediction: &Prediction) -> BTreeMap<u32, BTreeSet<Address>> {
    let groups = prediction.groups.iter();
    groups
        .map(|group| (group.id, group.functions.iter().copied().collect()))
        .collect()
}

fn kernel_groups(machine: &Machine) -> BTreeMap<u32, BTreeSet<Address>> {
    let mut groups: BTreeMap<u32, BTreeSet<Address>> = BTreeMap::new();
    for group in machine.groups.known().into_iter().flatten() {
        groups.entry(group.id).or_default().extend(&group.functions);
    }
    for function in &machine.functions {
        if let Some(id) = function.group.known() {
            groups.entry(*id).or_default().insert(function.address);
        }
    }
    groups.retain(|_, members| !members.is_empty());
    groups
}
