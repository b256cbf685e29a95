//! What a machine is made of, and what the kernel makes of it: addresses, IOMMU groups, tables.

mod firmware;
mod groups;
mod look;
mod machines;
mod random;
mod strategy;
mod tables;
