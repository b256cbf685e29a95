//! The vocabulary of PCI: addresses, ids, class codes, and what a function's configuration space says.
//!
//! Bytes and values only, no I/O. Everything here takes data from hardware as hostile: it is bounded,
//! and what is missing or makes no sense is told apart from what is absent.
//!
//! Section numbers are those of the PCI Express Base specification, revision 5.0, where nothing else is
//! named. A capability is asked for by a method of [`ConfigSpace`], which answers in two layers: the outer
//! `None` says that it is unknown (not read, cut short, or the function does not answer), the inner `None`
//! that the list was read and has none.

mod address;
mod address_map;
mod capability;
mod class;
mod config;
mod decoded;
mod hex;
mod ids;
mod list;
mod register;
#[cfg(test)]
mod testing;

pub use address::{Address, AddressError, Slot};
pub use address_map::{AddressHash, AddressMap};
pub use capability::*;
pub use class::ClassCode;
pub use config::{
    Bar, BarKind, BridgeBuses, BridgeControl, BridgeWindows, CardBus, CardBusControl, ConfigSpace,
    HeaderType, MemoryWidth, Window,
};
pub use decoded::{Contents, Decoded, Entry, Header};
pub use ids::{DeviceId, FunctionId, IdError, VendorId};
pub use list::{
    Capabilities, Capability, CapabilityName, ExtendedCapabilities, ExtendedCapability, List,
    Problem, conventional, extended,
};
