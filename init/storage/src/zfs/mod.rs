//! ZFS, by its own programs, which see nothing but the overlays.

mod import;
mod list;

pub(crate) use import::Zfs;
pub use list::{CanMount, DataSet, Pool};
