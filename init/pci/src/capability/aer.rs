use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, PortType, extended};

/// Advanced Error Reporting (7.8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvancedErrors {
    /// Uncorrectable errors that happened.
    pub uncorrectable_status: UncorrectableErrors,
    /// Uncorrectable errors that are not reported.
    pub uncorrectable_mask: UncorrectableErrors,
    /// Uncorrectable errors that are fatal.
    pub uncorrectable_severity: UncorrectableErrors,
    /// Correctable errors that happened.
    pub correctable_status: CorrectableErrors,
    /// Correctable errors that are not reported.
    pub correctable_mask: CorrectableErrors,
    /// Capabilities and control.
    pub capabilities: ErrorCapabilities,
    /// Header of the packet with the first uncorrectable error.
    pub header_log: [u32; 4],
    /// What root ports and event collectors have besides.
    pub root: Option<RootErrors>,
}

/// Errors that arrived at a root port or event collector (7.8.4.9 to 7.8.4.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootErrors {
    /// Which errors interrupt.
    pub command: RootErrorCommand,
    /// What arrived.
    pub status: RootErrorStatus,
    /// Requester id (bus, device, function) of the first correctable error.
    pub correctable_source: u16,
    /// Requester id of the first uncorrectable error.
    pub uncorrectable_source: u16,
}

register! {
    /// Uncorrectable errors: status, mask or severity (7.8.4.2 to 7.8.4.4).
    UncorrectableErrors: u32;
    flags {
        /// Data link protocol error.
        data_link_protocol = 4;
        /// Surprise down.
        surprise_down = 5;
        /// Poisoned packet received.
        poisoned = 12;
        /// Flow control protocol error.
        flow_control = 13;
        /// Completion timeout.
        completion_timeout = 14;
        /// Completer abort.
        completer_abort = 15;
        /// Unexpected completion.
        unexpected_completion = 16;
        /// Receiver overflow.
        receiver_overflow = 17;
        /// Malformed packet.
        malformed = 18;
        /// End-to-end CRC error.
        ecrc = 19;
        /// Unsupported request.
        unsupported_request = 20;
        /// ACS violation.
        acs_violation = 21;
        /// Uncorrectable internal error.
        internal = 22;
        /// Multicast packet blocked.
        multicast_blocked = 23;
        /// AtomicOp egress blocked.
        atomic_egress_blocked = 24;
        /// Packet prefix blocked.
        prefix_blocked = 25;
        /// Poisoned packet egress blocked.
        poisoned_egress_blocked = 26;
    }
    fields {}
}

register! {
    /// Correctable errors: status or mask (7.8.4.5 and 7.8.4.6).
    CorrectableErrors: u32;
    flags {
        /// Receiver error.
        receiver = 0;
        /// Bad packet (TLP).
        bad_tlp = 6;
        /// Bad data link layer packet (DLLP).
        bad_dllp = 7;
        /// Replay number rolled over.
        replay_rollover = 8;
        /// Replay timer timeout.
        replay_timeout = 12;
        /// Advisory non-fatal error.
        advisory_non_fatal = 13;
        /// Corrected internal error.
        internal = 14;
        /// Header log overflow.
        header_log_overflow = 15;
    }
    fields {}
}

register! {
    /// Advanced error capabilities and control (7.8.4.7).
    ErrorCapabilities: u32;
    flags {
        /// Can generate ECRC.
        ecrc_generation_capable = 5;
        /// Generates ECRC.
        ecrc_generation_enabled = 6;
        /// Can check ECRC.
        ecrc_check_capable = 7;
        /// Checks ECRC.
        ecrc_check_enabled = 8;
        /// Can record several headers.
        multiple_header_capable = 9;
        /// Records several headers.
        multiple_header_enabled = 10;
        /// A packet prefix is in the log.
        prefix_log_present = 11;
        /// Completion timeouts are logged with a header.
        completion_timeout_log_capable = 12;
    }
    fields {
        /// Bit of the first error in the uncorrectable status.
        first_error = 0, 5;
    }
}

register! {
    /// Root error command (7.8.4.9).
    RootErrorCommand: u32;
    flags {
        /// Correctable errors interrupt.
        correctable = 0;
        /// Non-fatal errors interrupt.
        non_fatal = 1;
        /// Fatal errors interrupt.
        fatal = 2;
    }
    fields {}
}

register! {
    /// Root error status (7.8.4.10).
    RootErrorStatus: u32;
    flags {
        /// A correctable error arrived.
        correctable = 0;
        /// More than one did.
        multiple_correctable = 1;
        /// A fatal or non-fatal error arrived.
        uncorrectable = 2;
        /// More than one did.
        multiple_uncorrectable = 3;
        /// The first uncorrectable one was fatal.
        first_fatal = 4;
        /// A non-fatal error message arrived.
        non_fatal = 5;
        /// A fatal error message arrived.
        fatal = 6;
    }
    fields {
        /// Interrupt message number.
        interrupt_message = 27, 5;
    }
}

impl AdvancedErrors {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let root = match registers.space().port_type() {
            Some(PortType::RootPort | PortType::EventCollector) => {
                Some(RootErrors::read(registers)?)
            }
            _ => None,
        };
        Some(Self {
            uncorrectable_status: UncorrectableErrors(registers.u32(0x04)?),
            uncorrectable_mask: UncorrectableErrors(registers.u32(0x08)?),
            uncorrectable_severity: UncorrectableErrors(registers.u32(0x0c)?),
            correctable_status: CorrectableErrors(registers.u32(0x10)?),
            correctable_mask: CorrectableErrors(registers.u32(0x14)?),
            capabilities: ErrorCapabilities(registers.u32(0x18)?),
            header_log: [
                registers.u32(0x1c)?,
                registers.u32(0x20)?,
                registers.u32(0x24)?,
                registers.u32(0x28)?,
            ],
            root,
        })
    }
}

impl RootErrors {
    fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            command: RootErrorCommand(registers.u32(0x2c)?),
            status: RootErrorStatus(registers.u32(0x30)?),
            correctable_source: registers.u16(0x34)?,
            uncorrectable_source: registers.u16(0x36)?,
        })
    }
}

impl ConfigSpace {
    /// Advanced Error Reporting. Outer `None`: unknown. Inner `None`: there is none.
    pub fn advanced_errors(&self) -> Option<Option<AdvancedErrors>> {
        self.extended(extended::ADVANCED_ERROR_REPORTING, AdvancedErrors::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{extended, space};

    #[test]
    fn an_endpoint_has_no_root_registers() {
        let mut registers = [0; 0x34];
        registers[2] = 0x10;
        let errors = extended(0x01, &registers).advanced_errors();
        let errors = errors.unwrap().unwrap();
        assert!(errors.uncorrectable_status.unsupported_request());
        assert_eq!(errors.root, None);
    }

    #[test]
    fn a_root_port_knows_where_an_error_came_from() {
        let config = space(
            4096,
            &[
                (0x06, &[0x10]),
                (0x34, &[0x40]),
                (0x40, &[0x10, 0, 0x42, 0x00]),
                (0x100, &[0x01, 0, 0x02, 0]),
                (0x130, &[0x01, 0, 0, 0x10, 0x18, 0x01]),
            ],
        );
        let root = config.advanced_errors().unwrap().unwrap().root.unwrap();
        assert!(root.status.correctable() && !root.status.uncorrectable());
        assert_eq!(root.status.interrupt_message(), 2);
        assert_eq!(root.correctable_source, 0x0118);
    }
}
