//! Configuration space as bytes, and the header at its front.

mod bar;
mod bridge;
mod header;

pub(crate) use bar::bars;
pub use bar::{Bar, BarKind, MemoryWidth};
pub use bridge::{BridgeBuses, BridgeControl, BridgeWindows, CardBus, CardBusControl, Window};
pub use header::HeaderType;

use serde::{Deserialize, Serialize};

/// Length of the conventional configuration space: all that a 256-byte dump has.
pub(crate) const CONVENTIONAL: usize = 256;
/// Length of the configuration space of a PCI Express function.
pub(crate) const EXTENDED: usize = 4096;

/// A function's configuration space as it was read: 64 bytes for an unprivileged reader, 256 without
/// the extended part, 4096 with it (PCI Express Base specification, 7.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigSpace(Vec<u8>);

impl ConfigSpace {
    /// Takes at most 4096 bytes; more is not configuration space and is cut.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(EXTENDED);
        Self(bytes)
    }

    /// The bytes as read.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A function that answers with all ones is powered down, gone, or hidden.
    pub fn is_gone(&self) -> bool {
        self.0.len() >= 4 && self.0.iter().take(64).all(|byte| *byte == 0xff)
    }

    /// The byte at `offset`, if it was read.
    pub fn u8(&self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    /// The little-endian 16-bit register at `offset`, if all of it was read.
    pub fn u16(&self, offset: usize) -> Option<u16> {
        let bytes = self.0.get(offset..offset.checked_add(2)?)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The little-endian 32-bit register at `offset`, if all of it was read.
    pub fn u32(&self, offset: usize) -> Option<u32> {
        let bytes = self.0.get(offset..offset.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl std::fmt::Debug for ConfigSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigSpace({} bytes)", self.0.len())
    }
}
