//! Installed systems: Proxmox VE and other KVM hosts made from Debian, read without running anything of theirs.
//!
//! [`look`] reads a root and its ESPs through [`files::Files`] and makes an [`Installation`]; [`differences`]
//! says where what is configured is not what the next start takes, and which guests name devices that are not
//! there; [`disks`] joins that with what a look found on the disks; [`Systems`] is the document of
//! `preflight systems`. Everything in a root is hostile: each reader is
//! bounded, and what could not be read is unknown.

pub mod boot;
pub mod command_line;
mod differences;
pub mod disks;
mod document;
pub mod files;
pub mod guests;
pub mod initrd;
mod installation;
mod look;
mod place;
mod reader;
pub mod settings;
pub mod shell;
pub mod system;
#[cfg(test)]
mod testing;
mod version;

pub use differences::{differences, finding_ids};
pub use document::{DisksSeen, Found, GuestDevice, System, Systems};
pub use installation::{InitrdCopy, InitrdSeen, Installation, InstalledKernel};
pub use look::{Sources, look};
pub use place::{Place, Setting};
pub use reader::Trouble;
