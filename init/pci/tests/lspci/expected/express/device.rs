use pci::{BarKind, Decoded, Device, Device2, PortType};

use super::{L0S, L1, at, power};
use crate::expected::Expected;

pub(super) fn device(kind: PortType, device: Device) -> Vec<Expected> {
    use PortType::{Endpoint, LegacyEndpoint, PcieToPciBridge, RootComplexEndpoint, UpstreamPort};
    let (capabilities, control, status) = (device.capabilities, device.control, device.status);
    let endpoint = matches!(kind, Endpoint | LegacyEndpoint);
    let resets = endpoint || kind == RootComplexEndpoint;
    let buttons = endpoint || matches!(kind, UpstreamPort | PcieToPciBridge);
    let powered = matches!(kind, Endpoint | UpstreamPort | PcieToPciBridge);
    vec![
        Expected::line("DevCap:")
            .field(format!("MaxPayload {} bytes", capabilities.max_payload()))
            .field(format!(
                "PhantFunc {}",
                (1 << capabilities.phantom_bits()) - 1
            ))
            .flags([
                ("ExtTag", capabilities.extended_tag()),
                ("RBE", capabilities.role_based_errors()),
            ])
            .when(endpoint, |line| {
                line.field(format!("L0s {}", at(&L0S, capabilities.l0s_latency_code())))
                    .field(format!("L1 {}", at(&L1, capabilities.l1_latency_code())))
            })
            .when(buttons, |line| {
                line.flags([
                    ("AttnBtn", capabilities.attention_button()),
                    ("AttnInd", capabilities.attention_indicator()),
                    ("PwrInd", capabilities.power_indicator()),
                ])
            })
            .when(resets, |line| {
                line.flags([("FLReset", capabilities.function_level_reset())])
            })
            .when(powered, |line| {
                power(line, "SlotPowerLimit", capabilities.slot_power_limit_mw())
            }),
        Expected::line("DevCtl:")
            .flags([
                ("CorrErr", control.correctable_reporting()),
                ("NonFatalErr", control.non_fatal_reporting()),
                ("FatalErr", control.fatal_reporting()),
                ("UnsupReq", control.unsupported_request_reporting()),
                ("RlxdOrd", control.relaxed_ordering()),
                ("ExtTag", control.extended_tag()),
                ("PhantFunc", control.phantom_functions()),
                ("AuxPwr", control.auxiliary_power()),
                ("NoSnoop", control.no_snoop()),
            ])
            .when(kind == PcieToPciBridge, |line| {
                line.flags([("BrConfRtry", control.reset_or_retry())])
            })
            .when(resets && capabilities.function_level_reset(), |line| {
                line.flags([("FLReset", control.reset_or_retry())])
            })
            .field(format!("MaxPayload {} bytes", control.max_payload()))
            .field(format!("MaxReadReq {} bytes", control.max_read_request())),
        Expected::line("DevSta:").flags([
            ("CorrErr", status.correctable_error()),
            ("NonFatalErr", status.non_fatal_error()),
            ("FatalErr", status.fatal_error()),
            ("UnsupReq", status.unsupported_request()),
            ("AuxPwr", status.auxiliary_power()),
            ("TransPend", status.transactions_pending()),
        ]),
    ]
}

const RANGES: [&str; 16] = [
    "Not Supported",
    "Range A",
    "Range B",
    "Range AB",
    "Unknown",
    "Unknown",
    "Range BC",
    "Range ABC",
    "Unknown",
    "Unknown",
    "Unknown",
    "Unknown",
    "Unknown",
    "Unknown",
    "Range BCD",
    "Range ABCD",
];
const TIMEOUTS: [&str; 16] = [
    "50us to 50ms",
    "50us to 100us",
    "1ms to 10ms",
    "Unknown",
    "Unknown",
    "16ms to 55ms",
    "65ms to 210ms",
    "Unknown",
    "Unknown",
    "260ms to 900ms",
    "1s to 3.5s",
    "Unknown",
    "Unknown",
    "4s to 13s",
    "17s to 64s",
    "Unknown",
];

pub(super) fn device2(kind: PortType, decoded: &Decoded, device: Device2) -> Vec<Expected> {
    use PortType::{
        DownstreamPort, Endpoint, LegacyEndpoint, RootComplexEndpoint, RootPort, UpstreamPort,
    };
    let (capabilities, control) = (device.capabilities, device.control);
    let forwards = matches!(kind, RootPort | DownstreamPort);
    let routes = matches!(kind, RootPort | UpstreamPort | DownstreamPort);
    let has_memory = decoded
        .header
        .bars
        .iter()
        .any(|bar| matches!(bar.kind, BarKind::Memory { .. }));
    let requests = matches!(
        kind,
        RootPort | Endpoint | RootComplexEndpoint | LegacyEndpoint
    );
    let hints = at(
        &[
            "TPHComp- ExtTPHComp-",
            "TPHComp+ ExtTPHComp-",
            "",
            "TPHComp+ ExtTPHComp+",
        ],
        capabilities.processing_hints(),
    );
    let prefixes = match capabilities.max_end_to_end_prefixes() {
        0 => 4,
        count => count,
    };
    vec![
        Expected::line("DevCap2:")
            .field(format!(
                "Completion Timeout: {}",
                at(&RANGES, capabilities.completion_timeout_ranges())
            ))
            .flags([
                ("TimeoutDis", capabilities.completion_timeout_disable()),
                ("NROPrPrP", capabilities.no_relaxed_peer_to_peer()),
                ("LTR", capabilities.latency_tolerance()),
                ("10BitTagComp", capabilities.tag_10_bit_completer()),
                ("10BitTagReq", capabilities.tag_10_bit_requester()),
                ("ExtFmt", capabilities.extended_format()),
                ("EETLPPrefix", capabilities.end_to_end_prefix()),
                (
                    "EmergencyPowerReductionInit",
                    capabilities.emergency_power_initialization(),
                ),
                ("FRS", capabilities.function_readiness()),
            ])
            .field(format!(
                "OBFF {}",
                at(
                    &[
                        "Not Supported",
                        "Via message",
                        "Via WAKE#",
                        "Via message/WAKE#"
                    ],
                    capabilities.obff()
                )
            ))
            .when(capabilities.end_to_end_prefix(), |line| {
                line.field(format!("MaxEETLPPrefixes {prefixes}"))
            })
            .field(format!(
                "EmergencyPowerReduction {}",
                at(
                    &[
                        "Not Supported",
                        "Dev Specific",
                        "Form Factor Dev Specific",
                        "Reserved"
                    ],
                    capabilities.emergency_power_reduction()
                )
            ))
            .when(kind == RootPort, |line| {
                line.field(format!(
                    "LN System CLS {}",
                    at(
                        &[
                            "Not Supported",
                            "64byte cachelines",
                            "128byte cachelines",
                            "Reserved"
                        ],
                        capabilities.lightweight_notification()
                    )
                ))
            })
            .when(
                matches!(kind, RootPort | Endpoint) && !hints.is_empty(),
                |line| line.field(hints),
            )
            .when(forwards, |line| {
                line.flags([("ARIFwd", capabilities.ari_forwarding())])
            })
            .when(routes, |line| {
                line.flags([("Routing", capabilities.atomic_op_routing())])
            })
            .when(kind == RootPort || has_memory, |line| {
                line.flags([
                    ("32bit", capabilities.atomic_op_32()),
                    ("64bit", capabilities.atomic_op_64()),
                    ("128bitCAS", capabilities.compare_and_swap_128()),
                ])
            }),
        Expected::line("DevCtl2:")
            .field(format!(
                "Completion Timeout: {}",
                at(&TIMEOUTS, control.completion_timeout())
            ))
            .flags([
                ("TimeoutDis", control.completion_timeout_disable()),
                ("LTR", control.latency_tolerance()),
                ("10BitTagReq", control.tag_10_bit_requester()),
            ])
            .field(format!(
                "OBFF {}",
                at(
                    &["Disabled", "Via message A", "Via message B", "Via WAKE#"],
                    control.obff()
                )
            ))
            .when(forwards, |line| {
                line.flags([("ARIFwd", control.ari_forwarding())])
            })
            .when(requests, |line| {
                line.flags([("ReqEn", control.atomic_op_requester())])
            })
            .when(routes, |line| {
                line.flags([("EgressBlck", control.atomic_op_egress_blocking())])
            }),
    ]
}
