//! ACPI tables that describe IOMMUs, and the interrupt controllers that those must know, as bytes turned into values. Pure; the bytes are firmware's and are
//! taken as hostile: what is wrong with a table is said beside what could be read of it.
//!
//! Every field is read through one cursor, which can keep a [`Trace`]: that is how tests hold each byte of a
//! real table, and each line of another decoder's output, against ours.

mod cursor;
mod dmar;
mod header;
mod ivrs;
mod madt;
mod problem;
mod structures;
#[cfg(test)]
mod testing;

pub use cursor::{Field, Trace, Value};
pub use dmar::{
    DeviceScope, Dmar, NamespaceDevice, PathHop, ProximityDomain, RemappingUnit, ReservedMemory,
    RootPortAts, ScopeKind, SocCache, SocProperties,
};
pub use header::Header;
pub use ivrs::{
    AcpiUid, AmdIommu, BlockKind, DeviceEntry, IvInfo, Ivrs, MemoryDefinition, MemoryFlags,
    RequesterRange, Requesters, SpecialDevice, UnitBlock,
};
pub use madt::{IoApic, Madt};
pub use problem::{TableError, TableProblem};
pub use structures::UnknownStructure;
