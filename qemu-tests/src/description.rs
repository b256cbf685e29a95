use serde::{Deserialize, Serialize};

use crate::chipset::{Chipset, Iommu};
use crate::device::Device;
use crate::machine::Machine;
use crate::topology::Slot;

/// A machine as text: what a random one is printed as, and what boots it again. It needs no file beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its chipset.
    pub chipset: Chipset,
    /// Its IOMMU.
    pub iommu: Iommu,
    /// What is at 00:10 and up.
    pub slots: Vec<Slot<Part>>,
    /// What is on each further root bus.
    #[serde(default)]
    pub root_buses: Vec<Vec<Slot<Part>>>,
}

/// A device that needs nothing behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// [`Device::E1000e`] without a ROM.
    Nic,
    /// [`Device::Igb`].
    Igb,
    /// [`Device::NvmeController`].
    Nvme,
    /// [`Device::UsbController`].
    Usb,
    /// [`Device::ConventionalNic`].
    ConventionalNic,
    /// [`Device::Audio`].
    Audio,
}

impl From<Part> for Device {
    fn from(part: Part) -> Self {
        match part {
            Part::Nic => Self::E1000e { rom: None },
            Part::Igb => Self::Igb,
            Part::Nvme => Self::NvmeController {
                virtual_functions: 0,
            },
            Part::Usb => Self::UsbController,
            Part::ConventionalNic => Self::ConventionalNic,
            Part::Audio => Self::Audio,
        }
    }
}

impl Description {
    /// The machine that it describes.
    pub fn machine(&self) -> Machine {
        let device = |slot: &Slot<Part>| slot.map(&|part| Device::from(*part));
        let mut machine = match self.chipset {
            Chipset::Q35 => Machine::q35(),
            Chipset::I440fx => Machine::i440fx(),
        };
        machine = machine.iommu(self.iommu);
        for slot in &self.slots {
            machine = machine.slot(device(slot));
        }
        for slots in &self.root_buses {
            machine = machine.root_bus(slots.iter().map(device).collect());
        }
        machine
    }

    /// As JSON on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| error.to_string())
    }
}
