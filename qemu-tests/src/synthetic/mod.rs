//! Machines of any size that nobody has built: as many functions as are asked for, in the topology that
//! boards and servers have, as the sources that an assessment can read. Values only.

mod config;
mod kind;
mod printed;
pub mod source;
mod topology;

pub use printed::{FOLDER, folder, lspci};
pub use topology::machine;

use pci::Address;

pub use kind::Kind;

/// One function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its place.
    pub address: Address,
    /// What it is.
    pub kind: &'static Kind,
    /// Its configuration space, 4096 bytes.
    pub config: Vec<u8>,
}
