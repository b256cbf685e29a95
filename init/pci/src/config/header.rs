use serde::{Deserialize, Serialize};

use crate::{ClassCode, ConfigSpace, FunctionId, conventional};

/// Layout of the header from offset 0x10 on (header type register, bits 6:0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderType {
    /// Type 0: an endpoint.
    Endpoint,
    /// Type 1: a PCI-to-PCI bridge, root ports and switch ports included.
    Bridge,
    /// Type 2: a CardBus bridge.
    CardBus,
    /// A value that no specification assigns.
    Other(u8),
}

impl ConfigSpace {
    /// Vendor and device id (7.5.1.1.1 and 7.5.1.1.2).
    pub fn id(&self) -> Option<FunctionId> {
        Some(FunctionId::new(self.u16(0x00)?, self.u16(0x02)?))
    }

    /// Command register (7.5.1.1.3).
    pub fn command(&self) -> Option<u16> {
        self.u16(0x04)
    }

    /// Command register: memory space decode is on (bit 1).
    pub fn decodes_memory(&self) -> Option<bool> {
        self.command().map(|command| command & 0x0002 != 0)
    }

    /// Revision id (7.5.1.1.5).
    pub fn revision(&self) -> Option<u8> {
        self.u8(0x08)
    }

    /// Class code (7.5.1.1.6).
    pub fn class(&self) -> Option<ClassCode> {
        self.u32(0x08).map(|register| ClassCode(register >> 8))
    }

    /// Header layout.
    pub fn header_type(&self) -> Option<HeaderType> {
        Some(match self.u8(0x0e)? & 0x7f {
            0 => HeaderType::Endpoint,
            1 => HeaderType::Bridge,
            2 => HeaderType::CardBus,
            other => HeaderType::Other(other),
        })
    }

    /// Header type register, bit 7: the device has more functions than one.
    pub fn is_multifunction(&self) -> Option<bool> {
        self.u8(0x0e).map(|byte| byte & 0x80 != 0)
    }

    /// Interrupt pin (7.5.1.1.13): 1 to 4 for INTA to INTD, 0 for a function without.
    pub fn interrupt_pin(&self) -> Option<u8> {
        self.u8(0x3d)
    }

    /// Vendor and device id of the board. Bridges have them in a capability (PCI-to-PCI Bridge
    /// Architecture 1.2, 3.2.5.13). Outer `None`: unknown. Inner `None`: there are none.
    pub fn subsystem(&self) -> Option<Option<FunctionId>> {
        let at = |offset| Some(FunctionId::new(self.u16(offset)?, self.u16(offset + 2)?));
        match self.header_type()? {
            HeaderType::Endpoint => at(0x2c).map(Some),
            HeaderType::CardBus => at(0x40).map(Some),
            HeaderType::Bridge => self.conventional(conventional::BRIDGE_SUBSYSTEM, |registers| {
                Some(FunctionId::new(registers.u16(4)?, registers.u16(6)?))
            }),
            HeaderType::Other(_) => None,
        }
    }

    /// Offset of the expansion ROM base address register (7.5.1.2.4 and 7.5.1.3.8); `None` where the
    /// header has none.
    pub fn rom_bar_offset(&self) -> Option<usize> {
        match self.header_type()? {
            HeaderType::Endpoint => Some(0x30),
            HeaderType::Bridge => Some(0x38),
            HeaderType::CardBus | HeaderType::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::space;

    #[test]
    fn a_bridge_has_its_rom_register_elsewhere() {
        let offset = |kind| space(64, &[(0x0e, &[kind])]).rom_bar_offset();
        assert_eq!(
            [0x80, 0x01, 0x02].map(offset),
            [Some(0x30), Some(0x38), None]
        );
    }

    #[test]
    fn a_function_says_what_it_is() {
        let config = space(
            64,
            &[
                (0x00, &[0xde, 0x10, 0xc6, 0x0f]),
                (0x08, &[0xa1, 0x00, 0x00, 0x03]),
                (0x2c, &[0x28, 0x10, 0x01, 0x0b]),
            ],
        );
        assert_eq!(config.id(), Some(FunctionId::new(0x10de, 0x0fc6)));
        assert_eq!(config.class(), Some(ClassCode(0x03_00_00)));
        assert_eq!(config.revision(), Some(0xa1));
        assert_eq!(
            config.subsystem(),
            Some(Some(FunctionId::new(0x1028, 0x0b01)))
        );
    }

    #[test]
    fn a_bridge_has_its_subsystem_in_a_capability_or_none() {
        let with_capability = space(
            256,
            &[
                (0x06, &[0x10]),
                (0x0e, &[0x01]),
                (0x34, &[0x40]),
                (0x40, &[0x0d, 0, 0, 0, 0x86, 0x80, 0x34, 0x12]),
            ],
        );
        assert_eq!(
            with_capability.subsystem(),
            Some(Some(FunctionId::new(0x8086, 0x1234)))
        );
        let without = space(256, &[(0x0e, &[0x01])]);
        assert_eq!(without.subsystem(), Some(None));
        let short = space(64, &[(0x06, &[0x10]), (0x0e, &[0x01]), (0x34, &[0x40])]);
        assert_eq!(short.subsystem(), None);
    }
}
