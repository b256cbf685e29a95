use crate::{ConfigSpace, HeaderType};

const CAP_POWER: u8 = 0x01;

/// Power state of a function (PCI Power Management specification 1.2, 3.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PowerState {
    /// Fully on. Functions without the capability are always in it.
    D0,
    /// Asleep, lightly.
    D1,
    /// Asleep.
    D2,
    /// Off but for its configuration space.
    D3Hot,
}

impl ConfigSpace {
    /// Command register (7.5.1.1.3).
    pub fn command(&self) -> Option<u16> {
        self.u16(0x04)
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

    /// Power state from the power management capability (7.5.2.2); `None` when too little was read, or
    /// when the function does not answer.
    pub fn power_state(&self) -> Option<PowerState> {
        if self.is_gone() || self.bytes().len() < 256 {
            return None;
        }
        let list = self.capabilities();
        let Some(power) = list.iter().find(|capability| capability.id == CAP_POWER) else {
            return Some(PowerState::D0);
        };
        Some(match self.u16(power.offset + 4)? & 3 {
            0 => PowerState::D0,
            1 => PowerState::D1,
            2 => PowerState::D2,
            _ => PowerState::D3Hot,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_power_state(bits: u8) -> ConfigSpace {
        let mut bytes = vec![0; 256];
        (bytes[0x06], bytes[0x34], bytes[0x40], bytes[0x44]) = (0x10, 0x40, CAP_POWER, bits);
        ConfigSpace::new(bytes)
    }

    #[test]
    fn the_power_state_is_the_capabilitys_or_d0_without_one() {
        assert_eq!(
            with_power_state(0x03).power_state(),
            Some(PowerState::D3Hot)
        );
        assert_eq!(with_power_state(0x08).power_state(), Some(PowerState::D0));
        assert_eq!(
            ConfigSpace::new(vec![0; 256]).power_state(),
            Some(PowerState::D0)
        );
        assert_eq!(ConfigSpace::new(vec![0; 64]).power_state(), None);
        assert_eq!(ConfigSpace::new(vec![0xff; 256]).power_state(), None);
    }

    #[test]
    fn a_bridge_has_its_rom_register_elsewhere() {
        let with_header = |kind| {
            let mut bytes = vec![0; 64];
            bytes[0x0e] = kind;
            ConfigSpace::new(bytes).rom_bar_offset()
        };
        assert_eq!(
            [0x80, 0x01, 0x02].map(with_header),
            [Some(0x30), Some(0x38), None]
        );
    }
}
