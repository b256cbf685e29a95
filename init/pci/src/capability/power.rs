use serde::{Deserialize, Serialize};

use crate::config::CONVENTIONAL;
use crate::register::{Registers, register};
use crate::{ConfigSpace, conventional};

/// Power Management (7.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerManagement {
    /// What the function can do.
    pub capabilities: PowerCapabilities,
    /// Control and status.
    pub control: PowerControl,
}

/// Power state of a function (PCI Power Management specification 1.2, 3.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

register! {
    /// Power management capabilities (7.5.2.1).
    PowerCapabilities: u16;
    flags {
        /// PME# needs the PCI clock.
        pme_clock = 3;
        /// The function is ready at once when it comes back to D0.
        immediate_readiness = 4;
        /// The function needs an initialisation of its own.
        device_specific_initialization = 5;
        /// The function has D1.
        d1 = 9;
        /// The function has D2.
        d2 = 10;
        /// PME# can come from D0.
        pme_d0 = 11;
        /// PME# can come from D1.
        pme_d1 = 12;
        /// PME# can come from D2.
        pme_d2 = 13;
        /// PME# can come from D3hot.
        pme_d3_hot = 14;
        /// PME# can come from D3cold.
        pme_d3_cold = 15;
    }
    fields {
        /// Version of the specification.
        version = 0, 3;
        /// Code of the current that D3cold needs; [`Self::auxiliary_current_ma`] has it in mA.
        auxiliary_current = 6, 3;
    }
}

impl PowerCapabilities {
    /// Current that the function draws from the auxiliary supply in D3cold, in mA.
    pub const fn auxiliary_current_ma(self) -> u16 {
        match self.auxiliary_current() {
            0 => 0,
            1 => 55,
            2 => 100,
            3 => 160,
            4 => 220,
            5 => 270,
            6 => 320,
            _ => 375,
        }
    }
}

register! {
    /// Power management control and status (7.5.2.2).
    PowerControl: u16;
    flags {
        /// Coming back from D3hot does not reset the function.
        no_soft_reset = 3;
        /// PME# is on.
        pme_enabled = 8;
        /// PME# is asserted.
        pme_status = 15;
    }
    fields {
        /// Power state; [`Self::state`] names it.
        state_bits = 0, 2;
        /// What the data register shows.
        data_select = 9, 4;
        /// Its scale.
        data_scale = 13, 2;
    }
}

impl PowerControl {
    /// The power state that the function is in.
    pub const fn state(self) -> PowerState {
        match self.state_bits() {
            0 => PowerState::D0,
            1 => PowerState::D1,
            2 => PowerState::D2,
            _ => PowerState::D3Hot,
        }
    }
}

impl PowerManagement {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capabilities: PowerCapabilities(registers.u16(2)?),
            control: PowerControl(registers.u16(4)?),
        })
    }
}

impl ConfigSpace {
    /// Power Management. Outer `None`: unknown. Inner `None`: there is none.
    pub fn power_management(&self) -> Option<Option<PowerManagement>> {
        self.conventional(conventional::POWER_MANAGEMENT, PowerManagement::read)
    }

    /// Power state from the power management capability; D0 without one. `None` when too little was read,
    /// or when the function does not answer.
    pub fn power_state(&self) -> Option<PowerState> {
        if self.bytes().len() < CONVENTIONAL {
            return None;
        }
        Some(
            self.power_management()?
                .map_or(PowerState::D0, |power| power.control.state()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::conventional;

    fn with_power_state(bits: u8) -> ConfigSpace {
        conventional(0x01, &[0, 0, bits])
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
    fn capabilities_and_control_are_read_bit_by_bit() {
        let power = conventional(0x01, &[0xc3, 0xc9, 0x08, 0x81]).power_management();
        let PowerManagement {
            capabilities,
            control,
        } = power.unwrap().unwrap();
        assert_eq!(capabilities.version(), 3);
        assert_eq!(capabilities.auxiliary_current_ma(), 375);
        assert!(capabilities.pme_d0() && capabilities.pme_d3_hot() && capabilities.pme_d3_cold());
        assert!(!capabilities.d1() && !capabilities.d2());
        assert!(control.no_soft_reset() && control.pme_enabled() && control.pme_status());
    }
}
