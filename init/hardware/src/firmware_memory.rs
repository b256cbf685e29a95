use serde::{Deserialize, Serialize};

/// A range of memory as firmware describes it to the kernel (ACPI 6.5, chapter 15), bounds inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmwareMemory {
    /// First address.
    pub start: u64,
    /// Last address.
    pub end: u64,
    /// The kernel's word: `System RAM`, `Reserved`, `ACPI Tables`, `ACPI Non-volatile Storage`, ...
    pub kind: String,
}
