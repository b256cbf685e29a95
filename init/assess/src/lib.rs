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
mod host;
mod iommu;
mod kernel;
mod naming;
mod rom;
mod rules;
mod summary;
#[cfg(test)]
mod testing;

pub use assess::assess;
pub use assessment::*;
pub use finding::FindingId;
pub use naming::{Naming, NoNames};
pub use rom::{choose_rom, rom_copy};
pub use rules::finding_ids;
