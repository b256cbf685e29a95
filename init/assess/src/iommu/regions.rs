use std::collections::{BTreeMap, BTreeSet};

use hardware::Machine;
use pci::Address;

use super::reach::Reach;
use super::summary::{RegionSource, ReservedRegionSummary};
use crate::Answer;

/// The functions whose group's reserved regions the kernel has shown.
pub(crate) struct KernelTold(BTreeSet<Address>);

impl KernelTold {
    pub fn of(machine: &Machine, active: Answer) -> Self {
        if active == Answer::No {
            return Self(BTreeSet::new());
        }
        let groups = machine.groups.known().into_iter().flatten();
        let told = groups.filter(|group| group.reserved_regions.known().is_some());
        Self(
            told.flat_map(|group| group.functions.iter().copied())
                .collect(),
        )
    }

    pub fn has(&self, address: Address) -> bool {
        self.0.contains(&address)
    }
}

/// Ranges of kind `direct` and `direct-relaxable`, each once: from the kernel with all functions of its
/// groups; from the tables for the functions about which the kernel said nothing.
pub(super) fn summaries(
    machine: &Machine,
    reach: &Reach,
    told: &KernelTold,
) -> Vec<ReservedRegionSummary> {
    type Key = (u64, u64, RegionSource, String);
    let mut regions: BTreeMap<Key, BTreeSet<Address>> = BTreeMap::new();
    for group in machine.groups.known().into_iter().flatten() {
        for region in group.reserved_regions.known().into_iter().flatten() {
            if region.kind.starts_with("direct") {
                let key = (
                    region.start,
                    region.end,
                    RegionSource::Kernel,
                    region.kind.clone(),
                );
                regions.entry(key).or_default().extend(&group.functions);
            }
        }
    }
    let functions: BTreeMap<_, _> = machine.functions.iter().map(|f| (f.address, f)).collect();
    for range in &reach.reserved {
        for address in range
            .functions
            .iter()
            .filter(|address| !told.has(**address))
        {
            let is_relaxable = functions
                .get(address)
                .is_some_and(|function| range.source.is_relaxable(function));
            let kind = if is_relaxable {
                "direct-relaxable"
            } else {
                "direct"
            };
            let key = (range.start, range.end, RegionSource::Table, kind.to_owned());
            regions.entry(key).or_default().insert(*address);
        }
    }
    let each = regions.into_iter();
    each.map(
        |((start, end, source, kind), functions)| ReservedRegionSummary {
            start: format!("{start:#x}"),
            end: format!("{end:#x}"),
            kind,
            functions: functions.into_iter().collect(),
            source,
        },
    )
    .collect()
}
