use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::argument::Argument;

/// The chipset of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chipset {
    /// PCI Express: ICH9.
    #[default]
    Q35,
    /// Conventional PCI: no ports, no extended configuration space.
    I440fx,
}

/// The IOMMU of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Iommu {
    /// None: no table, no unit.
    #[default]
    None,
    /// VT-d.
    Intel {
        /// The unit remaps interrupts.
        interrupt_remapping: bool,
    },
    /// AMD-Vi. It has a function of its own, 00:01.0.
    Amd {
        /// The unit remaps interrupts.
        interrupt_remapping: bool,
        /// The unit knows x2APIC destinations (IVRS with IVHD type 0x11).
        x2apic: bool,
    },
}

impl Chipset {
    pub(crate) fn driver(self) -> &'static str {
        match self {
            Self::Q35 => "q35",
            Self::I440fx => "pc",
        }
    }

    pub(crate) fn root_bus(self) -> &'static str {
        match self {
            Self::Q35 => "pcie.0",
            Self::I440fx => "pci.0",
        }
    }

    /// The device that makes another root bus.
    pub(crate) fn expander(self) -> &'static str {
        match self {
            Self::Q35 => "pxb-pcie",
            Self::I440fx => "pxb",
        }
    }

    /// Device and function numbers of what is soldered on.
    pub(crate) fn functions(self) -> &'static [(u8, u8)] {
        match self {
            Self::Q35 => &[(0, 0), (0x1f, 0), (0x1f, 2), (0x1f, 3)],
            Self::I440fx => &[(0, 0), (1, 0), (1, 1), (1, 3)],
        }
    }
}

impl Iommu {
    pub(crate) fn argument(self) -> Option<Argument> {
        let switch = |on: bool| if on { "on" } else { "off" };
        let properties = match self {
            Self::None => return None,
            // Without caching-mode QEMU aborts when the guest's kernel takes the unit over.
            Self::Intel {
                interrupt_remapping,
            } => json!({
                "driver": "intel-iommu", "caching-mode": true,
                "intremap": switch(interrupt_remapping),
            }),
            Self::Amd {
                interrupt_remapping,
                x2apic,
            } => json!({
                "driver": "amd-iommu", "intremap": switch(interrupt_remapping),
                "xtsup": x2apic,
                // Else it shows itself to the kernel and lets DMA through untranslated.
                "dma-remap": true,
            }),
        };
        Some(Argument::device(properties))
    }
}
