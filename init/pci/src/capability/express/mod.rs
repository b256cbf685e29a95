//! The PCI Express capability (7.5.3), a register group to each file.

mod device;
mod link;
mod port_type;
mod root;
mod slot;

pub use device::{
    Device, Device2, DeviceCapabilities, DeviceCapabilities2, DeviceControl, DeviceControl2,
    DeviceStatus,
};
pub use link::{
    Link, Link2, LinkCapabilities, LinkCapabilities2, LinkControl, LinkControl2, LinkSpeed,
    LinkStatus, LinkStatus2,
};
pub use port_type::PortType;
pub use root::{Root, RootCapabilities, RootControl, RootStatus};
pub use slot::{ExpressSlot, SlotCapabilities, SlotControl, SlotStatus};

use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, conventional};

/// The PCI Express capability. Register groups that the kind of function does not have are `None`, by the
/// rules that Linux has in `pcie_capability_reg_implemented` (drivers/pci/access.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Express {
    /// PCI Express capabilities register.
    pub flags: ExpressFlags,
    /// Device registers.
    pub device: Device,
    /// Link registers; not on functions that are integrated into the root complex.
    pub link: Option<Link>,
    /// Slot registers; on ports with a slot.
    pub slot: Option<ExpressSlot>,
    /// Root registers; on root ports and event collectors.
    pub root: Option<Root>,
    /// Second device registers; from version 2 on.
    pub device2: Option<Device2>,
    /// Second link registers; from version 2 on.
    pub link2: Option<Link2>,
}

register! {
    /// PCI Express capabilities register (7.5.3.2).
    ExpressFlags: u16;
    flags {
        /// The port has a slot.
        slot_implemented = 8;
    }
    fields {
        /// Version of the capability.
        version = 0, 4;
        /// Device/port type; [`Self::port_type`] names it.
        port_type_bits = 4, 4;
        /// Interrupt message number.
        interrupt_message = 9, 5;
    }
}

impl ExpressFlags {
    /// Kind of device or port.
    pub fn port_type(self) -> PortType {
        PortType::from_bits(self.port_type_bits())
    }
}

impl Express {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let flags = ExpressFlags(registers.u16(2)?);
        let kind = flags.port_type();
        let second = flags.version() >= 2;
        Some(Self {
            flags,
            device: Device::read(registers)?,
            link: only(kind.has_link(), || Link::read(registers))?,
            slot: only(kind.has_slot() && flags.slot_implemented(), || {
                ExpressSlot::read(registers)
            })?,
            root: only(kind.has_root(), || Root::read(registers))?,
            device2: only(second, || Device2::read(registers))?,
            link2: only(second && kind.has_link(), || Link2::read(registers))?,
        })
    }
}

/// Reads a group that is there; outer `None` when it is cut short.
fn only<T>(there: bool, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if there { read().map(Some) } else { Some(None) }
}

/// Power in milliwatts from value and scale (7.5.3.9); `None` for more than the register can say.
const fn milliwatts(value: u32, scale: u32) -> Option<u32> {
    match (scale, value) {
        (0, 0xff) => None,
        (0, 0xf0..) => Some((250 + 25 * (value - 0xf0)) * 1000),
        (0, _) => Some(value * 1000),
        (1, _) => Some(value * 100),
        (2, _) => Some(value * 10),
        (_, _) => Some(value),
    }
}

impl ConfigSpace {
    /// The PCI Express capability. Outer `None`: unknown. Inner `None`: there is none, the function is
    /// conventional PCI.
    pub fn express(&self) -> Option<Option<Express>> {
        self.conventional(conventional::EXPRESS, Express::read)
    }

    /// Kind of PCI Express device or port; `None` for conventional PCI or when it was not read.
    pub fn port_type(&self) -> Option<PortType> {
        let flags = self.conventional(conventional::EXPRESS, |registers| registers.u16(2));
        Some(ExpressFlags(flags??).port_type())
    }

    /// Physical slot number of a port whose slot is implemented (7.5.3.9, bits 31:19).
    pub fn slot_number(&self) -> Option<u16> {
        self.express()??.slot.map(|slot| slot.capabilities.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{conventional, space};

    #[test]
    fn a_root_port_names_its_type_and_slot() {
        let slot = (7_u32 << 19).to_le_bytes();
        let config = space(
            256,
            &[
                (0x06, &[0x10]),
                (0x34, &[0x54]),
                (0x54, &[0x10, 0, 0x42, 0x01]),
                (0x54 + 0x14, &slot),
            ],
        );
        assert_eq!(config.port_type(), Some(PortType::RootPort));
        assert_eq!(config.slot_number(), Some(7));
        let express = config.express().unwrap().unwrap();
        assert!(express.root.is_some() && express.link2.is_some());
    }

    #[test]
    fn an_endpoint_has_a_link_and_neither_slot_nor_root() {
        // Slot implemented is set, as no endpoint should.
        let config = conventional(0x10, &[0x02, 0x01]);
        let express = config.express().unwrap().unwrap();
        assert!(express.link.is_some() && express.device2.is_some());
        assert_eq!((express.slot, express.root), (None, None));
        assert_eq!(config.slot_number(), None);
    }

    #[test]
    fn an_integrated_endpoint_of_version_1_ends_after_its_device_registers() {
        let config = space(
            256,
            &[
                (0x06, &[0x10]),
                (0x34, &[0xf4]),
                (0xf4, &[0x10, 0, 0x91, 0x00]),
            ],
        );
        let express = config.express().unwrap().unwrap();
        assert_eq!((express.link, express.device2), (None, None));
    }

    #[test]
    fn a_capability_at_the_end_of_its_space_does_not_go_on_in_the_extended_one() {
        let mut bytes = vec![0; 4096];
        bytes[0x06] = 0x10;
        bytes[0x34] = 0xf4;
        bytes[0xf4..0xf8].copy_from_slice(&[0x10, 0, 0x02, 0]);
        let config = ConfigSpace::new(bytes);
        assert_eq!(config.port_type(), Some(PortType::Endpoint));
        assert_eq!(config.express(), None);
    }

    #[test]
    fn slot_power_has_a_scale_and_steps_above_239_watts() {
        assert_eq!(milliwatts(75, 0), Some(75_000));
        assert_eq!(milliwatts(100, 1), Some(10_000));
        assert_eq!(milliwatts(0xf1, 0), Some(275_000));
        assert_eq!(milliwatts(0xf1, 3), Some(241));
        assert_eq!(milliwatts(0xff, 0), None);
    }
}
