use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// L1 PM Substates (7.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Substates {
    /// What the port can do.
    pub capabilities: L1SubstatesCapabilities,
    /// What is switched on.
    pub control: L1SubstatesControl,
    /// Time to wait for power before the link is driven (control 2).
    pub power_on: PowerOnTime,
}

register! {
    /// L1 PM Substates capabilities (7.8.3.2).
    L1SubstatesCapabilities: u32;
    flags {
        /// PCI-PM L1.2.
        pci_pm_l1_2 = 0;
        /// PCI-PM L1.1.
        pci_pm_l1_1 = 1;
        /// ASPM L1.2.
        aspm_l1_2 = 2;
        /// ASPM L1.1.
        aspm_l1_1 = 3;
        /// L1 PM substates are supported at all.
        supported = 4;
    }
    fields {
        /// Time to restore common mode, in microseconds.
        common_mode_restore_us = 8, 8;
        /// Scale and value of the time that the port needs to power on.
        power_on_bits = 16, 8;
    }
}

impl L1SubstatesCapabilities {
    /// Time that the port needs to power on.
    pub fn power_on(self) -> PowerOnTime {
        PowerOnTime(self.power_on_bits())
    }
}

register! {
    /// L1 PM Substates control 1 (7.8.3.3).
    L1SubstatesControl: u32;
    flags {
        /// PCI-PM L1.2.
        pci_pm_l1_2 = 0;
        /// PCI-PM L1.1.
        pci_pm_l1_1 = 1;
        /// ASPM L1.2.
        aspm_l1_2 = 2;
        /// ASPM L1.1.
        aspm_l1_1 = 3;
    }
    fields {
        /// Time to restore common mode, in microseconds.
        common_mode_restore_us = 8, 8;
        /// Latency tolerance from which on L1.2 is entered, in units of the scale.
        threshold_value = 16, 10;
        /// Scale of the threshold: nanoseconds shifted left by five times this, 5 at most.
        threshold_scale = 29, 3;
    }
}

impl L1SubstatesControl {
    /// Latency tolerance from which on L1.2 is entered, in nanoseconds; `None` for a scale that is not
    /// permitted.
    pub fn threshold_ns(self) -> Option<u64> {
        let scale = self.threshold_scale();
        (scale <= 5).then(|| u64::from(self.threshold_value()) << (5 * scale))
    }
}

register! {
    /// A time to power on, as control 2 has it (7.8.3.4).
    PowerOnTime: u32;
    flags {}
    fields {
        /// Scale: 0 is 2 microseconds, 1 is 10, 2 is 100.
        scale = 0, 2;
        /// Value, in units of the scale.
        value = 3, 5;
    }
}

impl PowerOnTime {
    /// The time in microseconds; `None` for a scale that is reserved.
    pub const fn microseconds(self) -> Option<u32> {
        match self.scale() {
            0 => Some(self.value() * 2),
            1 => Some(self.value() * 10),
            2 => Some(self.value() * 100),
            _ => None,
        }
    }
}

impl L1Substates {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capabilities: L1SubstatesCapabilities(registers.u32(4)?),
            control: L1SubstatesControl(registers.u32(8)?),
            power_on: PowerOnTime(registers.u32(0x0c)?),
        })
    }
}

impl ConfigSpace {
    /// L1 PM Substates. Outer `None`: unknown. Inner `None`: there are none.
    pub fn l1_substates(&self) -> Option<Option<L1Substates>> {
        self.extended(extended::L1_PM_SUBSTATES, L1Substates::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::extended;

    #[test]
    fn times_are_in_their_units() {
        let config = extended(
            0x1e,
            &[0x1f, 0x1e, 0x31, 0, 0x0f, 0, 0xa0, 0x40, 0x2a, 0, 0, 0],
        );
        let substates = config.l1_substates().unwrap().unwrap();
        assert!(substates.capabilities.supported() && substates.capabilities.pci_pm_l1_2());
        assert_eq!(substates.capabilities.common_mode_restore_us(), 30);
        assert_eq!(substates.capabilities.power_on().microseconds(), Some(60));
        assert_eq!(substates.control.threshold_ns(), Some(163_840));
        assert_eq!(substates.power_on.microseconds(), Some(500));
        assert_eq!(PowerOnTime(3).microseconds(), None);
    }
}
