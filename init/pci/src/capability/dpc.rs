use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// Downstream Port Containment (7.9.15): the link is taken down when an error arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownstreamContainment {
    /// What the port can do.
    pub capability: DpcCapability,
    /// What is switched on.
    pub control: DpcControl,
    /// What happened.
    pub status: DpcStatus,
    /// Requester id (bus, device, function) of the error.
    pub source: u16,
}

register! {
    /// DPC capability (7.9.15.2).
    DpcCapability: u16;
    flags {
        /// Extensions of a root port are there.
        root_port_extensions = 5;
        /// Poisoned packets can be blocked on the way down.
        poisoned_blocking = 6;
        /// Software can trigger it.
        software_trigger = 7;
        /// The link coming back is signalled.
        link_active_signalling = 12;
    }
    fields {
        /// Interrupt message number.
        interrupt_message = 0, 5;
        /// Words in the log of programmed I/O errors.
        pio_log_size = 8, 4;
    }
}

register! {
    /// DPC control (7.9.15.3).
    DpcControl: u16;
    flags {
        /// Completions to blocked requests are Unsupported Request.
        unsupported_request_completion = 2;
        /// An interrupt tells of it.
        interrupt = 3;
        /// An ERR_COR message tells of it.
        correctable_message = 4;
        /// Poisoned packets are blocked on the way down.
        poisoned_blocking = 5;
        /// Triggers now.
        software_trigger = 6;
        /// The link coming back sends ERR_COR.
        link_active_message = 7;
    }
    fields {
        /// 0: off; 1: fatal errors trigger; 2: fatal and non-fatal errors trigger.
        trigger = 0, 2;
    }
}

register! {
    /// DPC status (7.9.15.4).
    DpcStatus: u16;
    flags {
        /// It was triggered: the link is down.
        triggered = 0;
        /// An interrupt is pending.
        interrupt = 3;
        /// The root port is busy.
        root_port_busy = 4;
    }
    fields {
        /// 0: an uncorrectable error; 1: ERR_NONFATAL; 2: ERR_FATAL; 3: see the extension.
        reason = 1, 2;
        /// 0: a programmed I/O error; 1: software.
        reason_extension = 5, 2;
        /// Bit of the first programmed I/O error.
        first_pio_error = 8, 5;
    }
}

impl DownstreamContainment {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capability: DpcCapability(registers.u16(4)?),
            control: DpcControl(registers.u16(6)?),
            status: DpcStatus(registers.u16(8)?),
            source: registers.u16(0x0a)?,
        })
    }
}

impl ConfigSpace {
    /// Downstream Port Containment. Outer `None`: unknown. Inner `None`: there is none.
    pub fn dpc(&self) -> Option<Option<DownstreamContainment>> {
        self.extended(
            extended::DOWNSTREAM_PORT_CONTAINMENT,
            DownstreamContainment::read,
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn a_contained_port_says_why_and_from_where() {
        let config = extended(0x1d, &[0xe0, 0x14, 0x0d, 0x00, 0x05, 0x1f, 0x00, 0x01]);
        let dpc = config.dpc().unwrap().unwrap();
        assert!(dpc.capability.root_port_extensions() && dpc.capability.link_active_signalling());
        assert_eq!(dpc.capability.pio_log_size(), 4);
        assert_eq!(dpc.control.trigger(), 1);
        assert!(dpc.status.triggered());
        assert_eq!((dpc.status.reason(), dpc.source), (2, 0x0100));
    }
}
