//! The rules. Each is one file: the ids of its findings, and a function from the machine to findings.

use crate::context::Context;
use crate::{Finding, FindingId};

mod acs_override;
mod apu;
mod bar_unassigned;
mod boot_gpu_only_display;
mod boot_gpu_rom;
mod code_43;
mod cpu_virtualization;
mod device_scope;
mod driver;
mod driver_in_group;
mod firmware_switch;
mod framebuffer;
mod group_membership;
mod group_prediction;
mod group_shared;
mod hidden_audio;
mod host_in_group;
mod host_on_card;
mod host_unknown;
mod host_use;
mod igd;
mod ioapic;
mod iommu_off;
mod known_kernel;
mod link;
mod lockdown;
mod mediated;
mod network_name;
mod numa;
mod power;
mod rebar;
mod remapping;
mod reserved_region;
mod reset;
mod reset_broken_method;
mod reset_known_bad;
mod rmrr_sanity;
mod rom_copies;
mod rom_image;
mod rom_present;
mod table_integrity;
mod tables_unread;
mod twins;
mod uncovered;
mod unit_registers;
mod unread;
mod virtual_functions;
mod way_out;
mod x2apic;

/// One rule.
pub(crate) struct Rule {
    /// Every id that its findings can have.
    pub ids: &'static [FindingId],
    /// What it finds.
    pub judge: fn(&Context) -> Vec<Finding>,
}

/// All rules. Where two findings weigh the same and speak about the same function, the one of the
/// earlier rule comes first.
pub(crate) const RULES: &[Rule] = &[
    iommu_off::RULE,
    table_integrity::RULE,
    unit_registers::RULE,
    device_scope::RULE,
    uncovered::RULE,
    remapping::RULE,
    ioapic::RULE,
    x2apic::RULE,
    tables_unread::RULE,
    lockdown::RULE,
    cpu_virtualization::RULE,
    acs_override::RULE,
    group_membership::RULE,
    host_in_group::RULE,
    driver_in_group::RULE,
    group_shared::RULE,
    way_out::RULE,
    group_prediction::RULE,
    reserved_region::RULE,
    rmrr_sanity::RULE,
    host_on_card::RULE,
    host_unknown::RULE,
    host_use::RULE,
    boot_gpu_rom::RULE,
    framebuffer::RULE,
    power::RULE,
    bar_unassigned::RULE,
    boot_gpu_only_display::RULE,
    reset_known_bad::RULE,
    reset_broken_method::RULE,
    reset::RULE,
    known_kernel::RULE,
    virtual_functions::RULE,
    driver::RULE,
    rom_present::RULE,
    rom_copies::RULE,
    rom_image::RULE,
    link::RULE,
    apu::RULE,
    igd::RULE,
    code_43::RULE,
    twins::RULE,
    hidden_audio::RULE,
    mediated::RULE,
    rebar::RULE,
    numa::RULE,
    network_name::RULE,
    unread::RULE,
];

/// The id of every finding that an assessment can have: those of the rules, and the problems of ROM
/// images. Each has an entry in docs/findings.md.
pub fn finding_ids() -> impl Iterator<Item = &'static str> {
    let own = RULES.iter().flat_map(|rule| rule.ids);
    own.map(|id| id.as_str()).chain(rom_image::problem_ids())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/findings.md");
    /// What every entry answers, in this order.
    const ANSWERS: [&str; 3] = ["*Means:*", "*Seen by:*", "*Do:*"];

    /// The id and the text of each entry.
    fn entries() -> Vec<(&'static str, &'static str)> {
        let sections = DOCUMENT.split("\n### ").skip(1);
        sections
            .map(|section| section.split_once('\n').unwrap_or((section, "")))
            .map(|(heading, text)| (heading.trim_matches('`'), text))
            // Those about installed systems are held to the document where they are found, in `proxmox`.
            .filter(|(id, _)| !id.starts_with("system."))
            .collect()
    }

    #[test]
    fn every_finding_has_an_entry_in_the_document_and_every_entry_a_finding() {
        let ids: BTreeSet<_> = finding_ids().collect();
        let documented: BTreeSet<_> = entries().iter().map(|(id, _)| *id).collect();
        let missing: Vec<_> = ids.difference(&documented).collect();
        let left_over: Vec<_> = documented.difference(&ids).collect();
        assert!(
            missing.is_empty(),
            "no entry in docs/findings.md: {missing:?}"
        );
        assert!(
            left_over.is_empty(),
            "docs/findings.md describes what no rule finds: {left_over:?}"
        );
        assert_eq!(entries().len(), documented.len(), "an id has two entries");
    }

    #[test]
    fn every_entry_says_what_it_means_how_it_is_seen_and_what_to_do() {
        for (id, text) in entries() {
            let places: Vec<_> = ANSWERS.iter().map(|answer| text.find(answer)).collect();
            assert!(
                places.iter().all(Option::is_some) && places.is_sorted(),
                "{id}"
            );
        }
    }

    #[test]
    fn no_id_is_used_twice() {
        let ids: Vec<_> = finding_ids().collect();
        let different: BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), different.len());
    }
}
