//! The rules. Each is one file: the ids of its findings, and a function from the machine to findings.

use crate::context::Context;
use crate::{Finding, FindingId};

mod acs_override;
mod boot_gpu_only_display;
mod boot_gpu_rom;
mod cpu_virtualization;
mod driver;
mod firmware_switch;
mod framebuffer;
mod group_membership;
mod group_shared;
mod host_in_group;
mod host_on_card;
mod host_unknown;
mod iommu_off;
mod link;
mod remapping;
mod reserved_region;
mod reset;
mod rom_image;
mod rom_present;
mod unread;
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
    remapping::RULE,
    x2apic::RULE,
    cpu_virtualization::RULE,
    acs_override::RULE,
    group_membership::RULE,
    host_in_group::RULE,
    group_shared::RULE,
    reserved_region::RULE,
    host_on_card::RULE,
    host_unknown::RULE,
    boot_gpu_rom::RULE,
    framebuffer::RULE,
    boot_gpu_only_display::RULE,
    reset::RULE,
    driver::RULE,
    rom_present::RULE,
    rom_image::RULE,
    link::RULE,
    unread::RULE,
];

/// The id of every finding that an assessment can have: those of the rules, and the problems of ROM
/// images. Each has an entry in docs/findings.md.
pub fn finding_ids() -> impl Iterator<Item = &'static str> {
    let own = RULES.iter().flat_map(|rule| rule.ids);
    own.map(|id| id.as_str()).chain(rom_image::problem_ids())
}
