//! Machines read from folders, from the running kernel, and from real data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in test functions; what they call is test code, too"
)]

mod fixtures;
mod functions;
mod host;
mod iommu;
mod live;
mod machine_wide;
mod parents;
mod running_system;
mod sys;
