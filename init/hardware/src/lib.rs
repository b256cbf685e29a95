//! Reads a machine: its PCI functions, ACPI tables, IOMMU groups, framebuffers, and what the host uses
//! its devices for. Everything ends in one value, [`Machine`]; nothing here judges.
//!
//! A [`Source`] is the running machine, a folder with a copy of another one's /sys, or a [`capture`];
//! [`read`] makes the [`Machine`], [`rom::read_all`] the ROM copies. [`load`] reads whatever was saved of
//! another machine, the text of [`lspci`] among it.

pub mod acpi;
pub mod capture;
mod error;
mod firmware_memory;
mod host_use;
mod installed_use;
mod iommu_unit;
mod kernel_log;
mod kernel_version;
mod listing;
pub mod lspci;
mod machine;
mod names;
mod read;
mod reading;
pub mod rom;
mod saved;
pub mod smbios;
mod source;
mod tree;
pub mod vfct;

pub use error::Error;
pub use firmware_memory::FirmwareMemory;
pub use host_use::Mount;
pub use installed_use::InstalledUse;
pub use iommu_unit::{AmdViUnit, IommuUnit, VtdUnit};
pub use kernel_log::kernel_log;
pub use kernel_version::kernel_version;
pub use listing::Listing;
pub use machine::*;
pub use names::Names;
pub use read::read;
pub use reading::Reading;
pub use rom::{FailureKind, RomFailure, RomReading, RomSource};
pub use saved::{Saved, load};
pub use smbios::{BoardSlot, SlotUsage};
pub use source::Source;
