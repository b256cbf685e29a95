//! Rules: a [`hardware::Machine`] and the ROM copies in, an [`Assessment`] out. Pure.
//!
//! [`assess`] works out what several rules need (the state of the IOMMU, cards, groups), walks the
//! table of rules, and gives each card the verdict that its findings allow. Every finding id has an
//! entry in docs/findings.md.

mod assess;
mod assessment;
mod card;
mod context;
mod finding;
mod groups;
mod host;
mod iommu;
mod kernel;
mod naming;
mod options;
mod rom;
mod rules;
mod running;
mod summary;
#[cfg(test)]
mod testing;

pub use assess::{assess, assess_with};
pub use assessment::*;
pub use finding::FindingId;
pub use iommu::{AtsSummary, IommuUnitSummary, RegionSource, ReservedRegionSummary};
pub use isolation::Override;
pub use naming::{Naming, NoNames};
pub use options::Options;
pub use rom::{choose_rom, rom_copy};
pub use rules::finding_ids;
