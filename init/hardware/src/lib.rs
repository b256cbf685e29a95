//! Reads a machine: its PCI functions, ACPI tables, IOMMU groups, framebuffers, and what the host uses
//! its devices for. Everything ends in one value, [`Machine`]; nothing here judges.

mod machine;
mod reading;
mod rom;

pub use machine::*;
pub use reading::Reading;
pub use rom::{RomReading, RomSource};
