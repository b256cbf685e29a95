//! What a machine is made of, and what the kernel makes of it: addresses, IOMMU groups, tables.

mod catalog;
mod firmware;
mod groups;
mod look;
mod machines;
mod quirks;
mod random;
mod strategy;
mod tables;
