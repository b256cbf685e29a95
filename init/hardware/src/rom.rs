use pci::Address;
use serde::{Deserialize, Serialize};

/// One attempt to read one function's option ROM from one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RomReading {
    /// Whose ROM.
    pub address: Address,
    /// Where it was read.
    pub source: RomSource,
    /// Why the bytes may not be what the card's flash holds; none when nothing speaks against them.
    pub taint: Option<String>,
    /// The bytes, or what went wrong.
    pub bytes: Result<Vec<u8>, String>,
    /// What could not be put back as it was found. Empty when all was restored.
    pub not_restored: Vec<String>,
}

/// Where a ROM was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RomSource {
    /// The ROM BAR, through sysfs.
    Sysfs,
    /// The legacy copy at 0xC0000, which the kernel substitutes for a boot VGA device.
    Shadow,
}
