use serde::{Deserialize, Serialize};

use crate::Reading;

/// An IOMMU unit that a driver of the running kernel has registered, as under /sys/class/iommu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IommuUnit {
    /// Its name there: `dmar0`, `ivhd0`.
    pub name: String,
    /// Folder `intel-iommu`; absent on other makes.
    pub intel: Reading<VtdUnit>,
    /// Folder `amd-iommu`; absent on other makes.
    pub amd: Reading<AmdViUnit>,
}

/// What an Intel unit's registers say (VT-d specification 4.1, 11.4.1 to 11.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VtdUnit {
    /// Address of the registers, which is that of the unit in the DMAR.
    pub address: u64,
    /// Version, major and minor.
    pub version: (u8, u8),
    /// Capability register.
    pub capability: u64,
    /// Extended capability register.
    pub extended_capability: u64,
}

impl VtdUnit {
    /// Extended capability register, bit 3 (IR): it remaps interrupts.
    pub fn remaps_interrupts(&self) -> bool {
        self.extended_capability & 1 << 3 != 0
    }

    /// Extended capability register, bit 4 (EIM): it remaps interrupts in x2APIC mode.
    pub fn supports_x2apic(&self) -> bool {
        self.extended_capability & 1 << 4 != 0
    }

    /// Extended capability register, bit 6 (PT): requests can pass untranslated.
    pub fn passes_through(&self) -> bool {
        self.extended_capability & 1 << 6 != 0
    }

    /// Capability register, bits 21:16 (MGAW): bits of a guest address, the field's value and one.
    pub fn guest_address_width(&self) -> u8 {
        u8::try_from(self.capability >> 16 & 0x3f).unwrap_or(0) + 1
    }
}

/// What an AMD unit's registers say (AMD IOMMU specification 3.10, 3.2 and 3.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmdViUnit {
    /// Capability header.
    pub capability: u32,
    /// Extended feature registers as the kernel prints them: one before 5.12; then both, the second one
    /// first before 6.7.
    pub features: Vec<u64>,
}
