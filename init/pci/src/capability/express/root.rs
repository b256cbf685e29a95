use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};

/// Root registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// What is switched on.
    pub control: RootControl,
    /// What the root port can do.
    pub capabilities: RootCapabilities,
    /// What happened.
    pub status: RootStatus,
}

register! {
    /// Root control (7.5.3.12).
    RootControl: u16;
    flags {
        /// Correctable errors raise a system error.
        correctable_system_error = 0;
        /// Non-fatal errors raise a system error.
        non_fatal_system_error = 1;
        /// Fatal errors raise a system error.
        fatal_system_error = 2;
        /// Power management events interrupt.
        pme_interrupt = 3;
        /// Software sees Configuration Request Retry Status.
        retry_status_visible = 4;
    }
    fields {}
}

register! {
    /// Root capabilities (7.5.3.13).
    RootCapabilities: u16;
    flags {
        /// Software can see Configuration Request Retry Status.
        retry_status_visible = 0;
    }
    fields {}
}

register! {
    /// Root status (7.5.3.14).
    RootStatus: u32;
    flags {
        /// A power management event arrived.
        pme = 16;
        /// Another waits.
        pme_pending = 17;
    }
    fields {
        /// Requester id (bus, device, function) of the event.
        pme_requester = 0, 16;
    }
}

impl Root {
    pub(super) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            control: RootControl(registers.u16(0x1c)?),
            capabilities: RootCapabilities(registers.u16(0x1e)?),
            status: RootStatus(registers.u32(0x20)?),
        })
    }
}
