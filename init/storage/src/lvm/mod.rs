//! LVM, by its own program, which sees nothing but the devices it is given.

mod activate;
mod report;

pub(crate) use activate::Lvm;
pub(crate) use report::parse;
pub use report::{Access, LogicalVolume, VolumeGroup};
