//! What an installed system is, and what of it depends on the devices it finds.

mod mount_units;

pub mod kernel;
pub mod libvirt;
pub mod logs;
pub mod network;
pub mod release;
pub mod storage;
