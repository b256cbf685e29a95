//! What a machine is made of, and what the kernel makes of it: addresses, IOMMU groups, tables.

mod firmware;
mod groups;
#[path = "../support/look.rs"]
mod look;
mod machines;
mod tables;
