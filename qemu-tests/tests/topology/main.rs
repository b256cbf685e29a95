//! What a machine is made of, and the IOMMU groups that the kernel makes of it.

mod groups;
#[path = "../support/look.rs"]
mod look;
