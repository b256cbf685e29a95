//! What of an installed system stands on which disk: from what a look found there, and from the system's own
//! /etc/fstab. Pure.

mod device;
mod findings;
mod found;
mod layout;
mod mounts;
mod places;
#[cfg(test)]
mod testing;
mod uses;

pub(crate) use findings::IDS;
pub use findings::findings;
pub use found::{LookDone, SystemRead};
pub use layout::{Layout, LayoutKind};
pub use mounts::{Join, joins};
pub use places::{Places, places};
pub use uses::{DiskUse, ESP_TYPES, Purpose, uses};
