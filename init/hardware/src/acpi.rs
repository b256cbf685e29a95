//! ACPI tables that describe IOMMUs and carry video BIOS images, as bytes turned into values. Pure; the bytes are firmware's and are
//! taken as hostile: what is wrong with a table is said beside what could be read of it.

mod dmar;
mod header;
mod ivrs;
mod vfct;

pub use dmar::{Dmar, RemappingUnit};
pub use header::{Header, TableError};
pub use ivrs::{AmdIommu, Ivrs};
pub use vfct::{Vfct, VfctImage};
