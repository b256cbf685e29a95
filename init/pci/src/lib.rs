//! The vocabulary of PCI: addresses, ids, class codes, and what a function's configuration space says.
//!
//! Bytes and values only, no I/O. Everything here takes data from hardware as hostile: it is bounded,
//! and what is missing or makes no sense is told apart from what is absent.

mod address;
mod class;
mod config;
mod ids;
mod state;

pub use address::{Address, AddressError, Slot};
pub use class::ClassCode;
pub use config::{
    Acs, AcsBits, BridgeBuses, Capability, ConfigSpace, ExtendedCapability, HeaderType, PortType,
};
pub use ids::{DeviceId, FunctionId, IdError, VendorId};
pub use state::PowerState;
