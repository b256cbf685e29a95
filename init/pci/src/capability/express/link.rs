use std::fmt;

use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};

/// Link registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the port can do.
    pub capabilities: LinkCapabilities,
    /// What is switched on.
    pub control: LinkControl,
    /// How the link runs.
    pub status: LinkStatus,
}

/// Second link registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link2 {
    /// What the port can do; zero before revision 3.0 of the specification.
    pub capabilities: LinkCapabilities2,
    /// What is switched on.
    pub control: LinkControl2,
    /// How the link runs.
    pub status: LinkStatus2,
}

/// Code of a link speed: 1 is 2.5 GT/s, 6 is 64 GT/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkSpeed(pub u8);

impl LinkSpeed {
    /// Speed in units of 0.1 GT/s; `None` for a code that is not assigned.
    pub const fn tenths_of_gigatransfers(self) -> Option<u32> {
        match self.0 {
            1 => Some(25),
            2 => Some(50),
            3 => Some(80),
            4 => Some(160),
            5 => Some(320),
            6 => Some(640),
            _ => None,
        }
    }
}

/// As the kernel writes it in `current_link_speed`: `8.0 GT/s`.
impl fmt::Display for LinkSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tenths_of_gigatransfers() {
            Some(tenths) => write!(f, "{}.{} GT/s", tenths / 10, tenths % 10),
            None => f.write_str("unknown speed"),
        }
    }
}

fn speed(bits: u32) -> LinkSpeed {
    LinkSpeed(u8::try_from(bits).unwrap_or(u8::MAX))
}

register! {
    /// Link capabilities (7.5.3.6).
    LinkCapabilities: u32;
    flags {
        /// The clock can be stopped.
        clock_power_management = 18;
        /// A surprise down is reported.
        surprise_down_reporting = 19;
        /// The data link layer's state is reported.
        link_active_reporting = 20;
        /// A change of bandwidth is notified.
        bandwidth_notification = 21;
        /// ASPM is optional, and done right.
        aspm_optionality = 22;
    }
    fields {
        /// Code of the highest speed; [`Self::max_speed`] names it.
        max_speed_code = 0, 4;
        /// Lanes at most.
        max_width = 4, 6;
        /// Active state power management: bit 0 L0s, bit 1 L1.
        aspm = 10, 2;
        /// L0s exit latency: under 64 ns shifted left by this, 7 over 4 µs.
        l0s_exit_latency = 12, 3;
        /// L1 exit latency: under 1 µs shifted left by this, 7 over 64 µs.
        l1_exit_latency = 15, 3;
        /// Port number.
        port_number = 24, 8;
    }
}

impl LinkCapabilities {
    /// Highest speed.
    pub fn max_speed(self) -> LinkSpeed {
        speed(self.max_speed_code())
    }
}

register! {
    /// Link control (7.5.3.7).
    LinkControl: u16;
    flags {
        /// Read completion boundary: 128 bytes when set, else 64.
        read_completion_boundary_128 = 3;
        /// The link is switched off.
        disabled = 4;
        /// Both ends share a clock.
        common_clock = 6;
        /// Extended synchronisation.
        extended_synch = 7;
        /// The clock may be stopped.
        clock_power_management = 8;
        /// The hardware may not change the width by itself.
        autonomous_width_disable = 9;
        /// A change of bandwidth interrupts.
        bandwidth_interrupt = 10;
        /// An autonomous change of bandwidth interrupts.
        autonomous_bandwidth_interrupt = 11;
    }
    fields {
        /// Active state power management: bit 0 L0s, bit 1 L1.
        aspm = 0, 2;
    }
}

register! {
    /// Link status (7.5.3.8).
    LinkStatus: u16;
    flags {
        /// Training failed (before version 1.1 of the specification).
        training_error = 10;
        /// Training is in progress.
        training = 11;
        /// The slot's clock is used.
        slot_clock = 12;
        /// The data link layer is up.
        link_active = 13;
        /// The bandwidth was changed.
        bandwidth_changed = 14;
        /// The hardware changed the bandwidth by itself.
        autonomous_bandwidth_changed = 15;
    }
    fields {
        /// Code of the speed; [`Self::speed`] names it.
        speed_code = 0, 4;
        /// Lanes in use.
        width = 4, 6;
    }
}

impl LinkStatus {
    /// Speed that the link runs at.
    pub fn speed(self) -> LinkSpeed {
        speed(u32::from(self.speed_code()))
    }
}

register! {
    /// Link capabilities 2 (7.5.3.18).
    LinkCapabilities2: u32;
    flags {
        /// Crosslinks.
        crosslink = 8;
        /// A retimer's presence is detected.
        retimer_detection = 23;
        /// Two retimers' presence is detected.
        two_retimers_detection = 24;
        /// Device readiness status.
        device_readiness = 31;
    }
    fields {
        /// Speeds that are supported: bit 0 is 2.5 GT/s.
        speeds = 1, 7;
    }
}

register! {
    /// Link control 2 (7.5.3.19).
    LinkControl2: u16;
    flags {
        /// Enters compliance.
        enter_compliance = 4;
        /// The hardware may not change the speed by itself.
        autonomous_speed_disable = 5;
        /// Selectable de-emphasis of a port: -3.5 dB when set, else -6 dB.
        de_emphasis = 6;
        /// Enters modified compliance.
        enter_modified_compliance = 10;
        /// Ordered sets are sent during compliance.
        compliance_sos = 11;
    }
    fields {
        /// Code of the speed to reach.
        target_speed_code = 0, 4;
        /// Transmit margin.
        transmit_margin = 7, 3;
        /// Preset or de-emphasis of compliance.
        compliance_preset = 12, 4;
    }
}

register! {
    /// Link status 2 (7.5.3.20).
    LinkStatus2: u16;
    flags {
        /// De-emphasis: -3.5 dB when set, else -6 dB.
        de_emphasis = 0;
        /// Equalization for 8 GT/s is complete.
        equalization_complete = 1;
        /// Its first phase succeeded.
        equalization_phase_1 = 2;
        /// Its second phase succeeded.
        equalization_phase_2 = 3;
        /// Its third phase succeeded.
        equalization_phase_3 = 4;
        /// Equalization is asked for.
        equalization_request = 5;
        /// A retimer is there.
        retimer = 6;
        /// Two retimers are there.
        two_retimers = 7;
    }
    fields {
        /// How a crosslink was resolved.
        crosslink_resolution = 8, 2;
    }
}

impl Link {
    pub(super) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capabilities: LinkCapabilities(registers.u32(0x0c)?),
            control: LinkControl(registers.u16(0x10)?),
            status: LinkStatus(registers.u16(0x12)?),
        })
    }
}

impl Link2 {
    pub(super) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capabilities: LinkCapabilities2(registers.u32(0x2c)?),
            control: LinkControl2(registers.u16(0x30)?),
            status: LinkStatus2(registers.u16(0x32)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_written_as_the_kernel_does() {
        let speeds = [1, 3, 6, 0].map(|code| LinkSpeed(code).to_string());
        assert_eq!(
            speeds,
            ["2.5 GT/s", "8.0 GT/s", "64.0 GT/s", "unknown speed"]
        );
    }
}
