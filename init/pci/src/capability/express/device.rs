use serde::{Deserialize, Serialize};

use super::milliwatts;
use crate::register::{Registers, register};

/// Device registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What the function can do.
    pub capabilities: DeviceCapabilities,
    /// What is switched on.
    pub control: DeviceControl,
    /// What happened.
    pub status: DeviceStatus,
}

/// Second device registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device2 {
    /// What the function can do.
    pub capabilities: DeviceCapabilities2,
    /// What is switched on.
    pub control: DeviceControl2,
}

register! {
    /// Device capabilities (7.5.3.3).
    DeviceCapabilities: u32;
    flags {
        /// 8-bit tags.
        extended_tag = 5;
        /// An attention button (before version 1.1 of the specification).
        attention_button = 12;
        /// An attention indicator (before version 1.1).
        attention_indicator = 13;
        /// A power indicator (before version 1.1).
        power_indicator = 14;
        /// Role-based error reporting.
        role_based_errors = 15;
        /// The function can be reset alone (FLR).
        function_level_reset = 28;
    }
    fields {
        /// Code of the largest payload; [`Self::max_payload`] has it in bytes.
        max_payload_code = 0, 3;
        /// Function number bits that can extend the tag.
        phantom_bits = 3, 2;
        /// L0s latency that is acceptable: under 64 ns shifted left by this, 7 without limit.
        l0s_latency_code = 6, 3;
        /// L1 latency that is acceptable: under 1 µs shifted left by this, 7 without limit.
        l1_latency_code = 9, 3;
        /// Value of the slot's power limit.
        slot_power_value = 18, 8;
        /// Scale of the slot's power limit.
        slot_power_scale = 26, 2;
    }
}

impl DeviceCapabilities {
    /// Largest payload in bytes.
    pub const fn max_payload(self) -> u32 {
        128 << self.max_payload_code()
    }

    /// Power that the slot allows, in mW, as the port above told it; `None` for more than 600 W.
    pub const fn slot_power_limit_mw(self) -> Option<u32> {
        milliwatts(self.slot_power_value(), self.slot_power_scale())
    }
}

register! {
    /// Device control (7.5.3.4).
    DeviceControl: u16;
    flags {
        /// Correctable errors are reported.
        correctable_reporting = 0;
        /// Non-fatal errors are reported.
        non_fatal_reporting = 1;
        /// Fatal errors are reported.
        fatal_reporting = 2;
        /// Unsupported requests are reported.
        unsupported_request_reporting = 3;
        /// Relaxed ordering.
        relaxed_ordering = 4;
        /// 8-bit tags.
        extended_tag = 8;
        /// Phantom functions.
        phantom_functions = 9;
        /// Auxiliary power.
        auxiliary_power = 10;
        /// Requests may ask not to be snooped.
        no_snoop = 11;
        /// Function level reset on an endpoint; configuration retry on a bridge.
        reset_or_retry = 15;
    }
    fields {
        /// Code of the largest payload; [`Self::max_payload`] has it in bytes.
        max_payload_code = 5, 3;
        /// Code of the largest read; [`Self::max_read_request`] has it in bytes.
        max_read_code = 12, 3;
    }
}

impl DeviceControl {
    /// Largest payload in bytes.
    pub const fn max_payload(self) -> u32 {
        128 << self.max_payload_code()
    }

    /// Largest read request in bytes.
    pub const fn max_read_request(self) -> u32 {
        128 << self.max_read_code()
    }
}

register! {
    /// Device status (7.5.3.5).
    DeviceStatus: u16;
    flags {
        /// A correctable error.
        correctable_error = 0;
        /// A non-fatal error.
        non_fatal_error = 1;
        /// A fatal error.
        fatal_error = 2;
        /// An unsupported request.
        unsupported_request = 3;
        /// Auxiliary power is there.
        auxiliary_power = 4;
        /// Requests wait for completion.
        transactions_pending = 5;
    }
    fields {}
}

register! {
    /// Device capabilities 2 (7.5.3.15).
    DeviceCapabilities2: u32;
    flags {
        /// The completion timeout can be switched off.
        completion_timeout_disable = 4;
        /// ARI forwarding, of a port.
        ari_forwarding = 5;
        /// AtomicOps are routed, of a port.
        atomic_op_routing = 6;
        /// 32-bit AtomicOps are completed.
        atomic_op_32 = 7;
        /// 64-bit AtomicOps are completed.
        atomic_op_64 = 8;
        /// 128-bit compare-and-swap is completed.
        compare_and_swap_128 = 9;
        /// Peer-to-peer requests with relaxed ordering are not forwarded so.
        no_relaxed_peer_to_peer = 10;
        /// Latency tolerance reporting.
        latency_tolerance = 11;
        /// 10-bit tags are completed.
        tag_10_bit_completer = 16;
        /// 10-bit tags are sent.
        tag_10_bit_requester = 17;
        /// The extended format field.
        extended_format = 20;
        /// End-to-end packet prefixes.
        end_to_end_prefix = 21;
        /// Emergency power reduction needs the device to be initialised again.
        emergency_power_initialization = 26;
        /// Function readiness status.
        function_readiness = 31;
    }
    fields {
        /// Ranges of completion timeouts.
        completion_timeout_ranges = 0, 4;
        /// Processing hints that are completed.
        processing_hints = 12, 2;
        /// Cache line size for lightweight notification, of a root port.
        lightweight_notification = 14, 2;
        /// Optimized Buffer Flush/Fill: 1 by message, 2 by WAKE#, 3 by both.
        obff = 18, 2;
        /// End-to-end prefixes at most; 0 is 4.
        max_end_to_end_prefixes = 22, 2;
        /// How emergency power reduction is done.
        emergency_power_reduction = 24, 2;
    }
}

register! {
    /// Device control 2 (7.5.3.16).
    DeviceControl2: u16;
    flags {
        /// The completion timeout is off.
        completion_timeout_disable = 4;
        /// ARI forwarding, of a port.
        ari_forwarding = 5;
        /// AtomicOps may be sent.
        atomic_op_requester = 6;
        /// AtomicOps are blocked on the way out.
        atomic_op_egress_blocking = 7;
        /// Requests may be ordered by id.
        ido_request = 8;
        /// Completions may be ordered by id.
        ido_completion = 9;
        /// Latency tolerance reporting.
        latency_tolerance = 10;
        /// Emergency power reduction is asked for.
        emergency_power_reduction = 11;
        /// 10-bit tags may be sent.
        tag_10_bit_requester = 12;
        /// End-to-end prefixes are blocked.
        end_to_end_prefix_blocking = 15;
    }
    fields {
        /// Completion timeout.
        completion_timeout = 0, 4;
        /// Optimized Buffer Flush/Fill: 1 and 2 by message, 3 by WAKE#.
        obff = 13, 2;
    }
}

impl Device {
    pub(super) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capabilities: DeviceCapabilities(registers.u32(0x04)?),
            control: DeviceControl(registers.u16(0x08)?),
            status: DeviceStatus(registers.u16(0x0a)?),
        })
    }
}

impl Device2 {
    pub(super) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capabilities: DeviceCapabilities2(registers.u32(0x24)?),
            control: DeviceControl2(registers.u16(0x28)?),
        })
    }
}
