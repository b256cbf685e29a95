//! ZFS, by its own programs, which see nothing but the devices they are given.

mod host_id;
mod import;
mod list;

pub use host_id::HostId;
pub(crate) use host_id::{give_back, take_over};
pub(crate) use import::Zfs;
pub use list::{CanMount, DataSet, Pool};
