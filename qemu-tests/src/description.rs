use serde::{Deserialize, Serialize};

use crate::chipset::{Chipset, Iommu};
use crate::device::Device;
use crate::machine::Machine;
use crate::topology::{Function, Slot};

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

    /// Windows of I/O ports that its bridges need, 4 KiB each (PCI-to-PCI bridge architecture 3.2.5.6). A bridge
    /// needs one for what is on its bus, and one for each that the bridges there need.
    pub fn io_windows(&self) -> usize {
        let slots = self.slots.iter().chain(self.root_buses.iter().flatten());
        slots.map(|slot| below(slot).windows).sum()
    }

    /// As JSON on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| error.to_string())
    }
}

/// I/O ports that something asks for.
#[derive(Default)]
struct IoPorts {
    /// Of whole bridges.
    windows: usize,
    /// Of devices on the bus itself.
    own: bool,
}

impl IoPorts {
    fn and(self, other: Self) -> Self {
        Self {
            windows: self.windows + other.windows,
            own: self.own || other.own,
        }
    }

    /// As it is asked for on the other side of a bridge.
    fn above(self) -> Self {
        Self {
            windows: self.windows + usize::from(self.own),
            own: false,
        }
    }
}

fn below(slot: &Slot<Part>) -> IoPorts {
    let functions = slot.0.iter().map(io_ports);
    functions.fold(IoPorts::default(), IoPorts::and)
}

fn io_ports(function: &Function<Part>) -> IoPorts {
    match function {
        Function::Device(part) => IoPorts {
            windows: 0,
            own: !matches!(part, Part::Nvme | Part::Usb),
        },
        Function::Port(_, slot) => slot.as_ref().map(below).unwrap_or_default().above(),
        Function::Switch(ports) => ports
            .iter()
            .flatten()
            .map(|slot| below(slot).above())
            .fold(IoPorts::default(), IoPorts::and),
        // Firmware keeps one for what may be plugged into a conventional bus.
        Function::Bridge(_, slots) => slots
            .iter()
            .map(below)
            .fold(
                IoPorts {
                    windows: 0,
                    own: true,
                },
                IoPorts::and,
            )
            .above(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Port;
    use crate::topology::Bridge;

    #[test]
    fn a_bridge_needs_a_window_for_its_own_bus_and_those_behind_it() {
        let windows = |function: Function<Part>| {
            let port = Function::Port(Port::RootPort, Some(Slot::function(function)));
            let machine = Description {
                chipset: Chipset::Q35,
                iommu: Iommu::None,
                slots: vec![Slot::function(port)],
                root_buses: Vec::new(),
            };
            machine.io_windows()
        };
        assert_eq!(windows(Function::Device(Part::Nvme)), 0);
        assert_eq!(windows(Function::Device(Part::Nic)), 1);
        let conventional = |slots| Slot::function(Function::Bridge(Bridge::Conventional, slots));
        let audio = || Slot::device(Part::Audio);
        let bridge = Function::Bridge(
            Bridge::FromExpress,
            vec![audio(), conventional(vec![audio()]), conventional(vec![])],
        );
        assert_eq!(windows(bridge), 3);
        let switch = Function::Switch(vec![Some(Slot::device(Part::Nic)), None, Some(audio())]);
        assert_eq!(windows(switch), 2);
    }
}
