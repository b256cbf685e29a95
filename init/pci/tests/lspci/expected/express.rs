use pci::{
    Address, BarKind, Decoded, Device, Device2, Express, ExpressSlot, Link, Link2, PortType, Root,
};

use super::Expected;

const L0S: [&str; 8] = [
    "<64ns",
    "<128ns",
    "<256ns",
    "<512ns",
    "<1us",
    "<2us",
    "<4us",
    "unlimited",
];
const L1: [&str; 8] = [
    "<1us",
    "<2us",
    "<4us",
    "<8us",
    "<16us",
    "<32us",
    "<64us",
    "unlimited",
];
const INDICATOR: [&str; 4] = ["Unknown", "On", "Blink", "Off"];

fn at(table: &[&'static str], code: impl Into<u32>) -> &'static str {
    table[code.into() as usize]
}

pub fn express(address: Address, decoded: &Decoded, express: &Express) -> Vec<Expected> {
    let kind = express.flags.port_type();
    let message = express.flags.interrupt_message();
    let mut lines = vec![
        Expected::line("Express")
            .field(format!("v{}", express.flags.version()))
            .field(type_name(kind))
            .either([format!("MSI {message:02x}"), format!("IntMsgNum {message}")])
            .when(kind.has_slot(), |line| {
                line.flags([("Slot", express.flags.slot_implemented())])
            }),
    ];
    lines.extend(device(kind, express.device));
    if let Some(registers) = express.link {
        lines.extend(link(kind, registers));
    }
    if let Some(registers) = express.slot {
        lines.extend(slot(registers));
    }
    if let Some(registers) = express.root {
        lines.extend(root(registers));
    }
    if let Some(registers) = express.device2 {
        lines.extend(device2(kind, decoded, registers));
    }
    if let Some(registers) = express.link2 {
        lines.extend(link2(kind, address, registers));
    }
    lines
}

fn type_name(kind: PortType) -> &'static str {
    match kind {
        PortType::Endpoint => "Endpoint",
        PortType::LegacyEndpoint => "Legacy Endpoint",
        PortType::RootPort => "Root Port",
        PortType::UpstreamPort => "Upstream Port",
        PortType::DownstreamPort => "Downstream Port",
        PortType::PcieToPciBridge => "PCI-Express to PCI/PCI-X Bridge",
        PortType::PciToPcieBridge => "PCI/PCI-X to PCI-Express Bridge",
        PortType::RootComplexEndpoint => "Root Complex Integrated Endpoint",
        PortType::EventCollector => "Root Complex Event Collector",
        PortType::Other(_) => "Unknown type",
    }
}

/// Watts as C's `%g` writes them. Steps above 300 W are new in the specification and in lspci.
fn watts(milliwatts: Option<u32>) -> Option<String> {
    let milliwatts = milliwatts.filter(|power| *power <= 300_000)?;
    Some(format!("{}W", f64::from(milliwatts) / 1000.0))
}

fn power(line: Expected, name: &str, milliwatts: Option<u32>) -> Expected {
    match watts(milliwatts) {
        Some(watts) => line.field(format!("{name} {watts}")),
        None => line,
    }
}

fn device(kind: PortType, device: Device) -> Vec<Expected> {
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

fn speed(speed: pci::LinkSpeed) -> String {
    match speed.tenths_of_gigatransfers() {
        Some(tenths) => format!("{}GT/s", f64::from(tenths) / 10.0),
        None => "unknown".to_owned(),
    }
}

fn link(kind: PortType, link: Link) -> Vec<Expected> {
    use PortType::{Endpoint, LegacyEndpoint, PcieToPciBridge, RootPort};
    let (capabilities, control, status) = (link.capabilities, link.control, link.status);
    let aspm = capabilities.aspm();
    let boundary = matches!(kind, RootPort | Endpoint | LegacyEndpoint | PcieToPciBridge);
    let bytes = if control.read_completion_boundary_128() {
        128
    } else {
        64
    };
    vec![
        Expected::line("LnkCap:")
            .field(format!("Port #{}", capabilities.port_number()))
            .field(format!("Speed {}", speed(capabilities.max_speed())))
            .field(format!("Width x{}", capabilities.max_width()))
            .field(format!(
                "ASPM {}",
                at(&["not supported", "L0s", "L1", "L0s L1"], aspm)
            ))
            .when(aspm & 1 != 0, |line| {
                line.field(format!("L0s {}", at(&L0S, capabilities.l0s_exit_latency())))
            })
            .when(aspm & 2 != 0, |line| {
                line.field(format!("L1 {}", at(&L1, capabilities.l1_exit_latency())))
            })
            .flags([
                ("ClockPM", capabilities.clock_power_management()),
                ("Surprise", capabilities.surprise_down_reporting()),
                ("LLActRep", capabilities.link_active_reporting()),
                ("BwNot", capabilities.bandwidth_notification()),
                ("ASPMOptComp", capabilities.aspm_optionality()),
            ]),
        Expected::line("LnkCtl:")
            .field(format!(
                "ASPM {}",
                at(
                    &["Disabled", "L0s Enabled", "L1 Enabled", "L0s L1 Enabled"],
                    control.aspm()
                )
            ))
            .when(boundary, |line| line.field(format!("RCB {bytes} bytes")))
            .flags([
                ("Disabled", control.disabled()),
                ("CommClk", control.common_clock()),
                ("ExtSynch", control.extended_synch()),
                ("ClockPM", control.clock_power_management()),
                ("AutWidDis", control.autonomous_width_disable()),
                ("BWInt", control.bandwidth_interrupt()),
                ("AutBWInt", control.autonomous_bandwidth_interrupt()),
            ]),
        Expected::line("LnkSta:")
            .field(format!("Speed {}", speed(status.speed())))
            .field(format!("Width x{}", status.width()))
            .flags([
                ("TrErr", status.training_error()),
                ("Train", status.training()),
                ("SlotClk", status.slot_clock()),
                ("DLActive", status.link_active()),
                ("BWMgmt", status.bandwidth_changed()),
                ("ABWMgmt", status.autonomous_bandwidth_changed()),
            ]),
    ]
}

fn slot(slot: ExpressSlot) -> Vec<Expected> {
    let (capabilities, control, status) = (slot.capabilities, slot.control, slot.status);
    vec![
        power(
            Expected::line("SltCap:")
                .flags([
                    ("AttnBtn", capabilities.attention_button()),
                    ("PwrCtrl", capabilities.power_controller()),
                    ("MRL", capabilities.retention_latch()),
                    ("AttnInd", capabilities.attention_indicator()),
                    ("PwrInd", capabilities.power_indicator()),
                    ("HotPlug", capabilities.hot_plug()),
                    ("Surprise", capabilities.surprise_removal()),
                    ("Interlock", capabilities.interlock()),
                    ("NoCompl", capabilities.no_command_completed()),
                ])
                .field(format!("Slot #{}", capabilities.number())),
            "PowerLimit",
            capabilities.power_limit_mw(),
        ),
        Expected::line("SltCtl:")
            .flags([
                ("AttnBtn", control.attention_button()),
                ("PwrFlt", control.power_fault()),
                ("MRL", control.retention_latch()),
                ("PresDet", control.presence()),
                ("CmdCplt", control.command_completed()),
                ("HPIrq", control.hot_plug_interrupt()),
                ("LinkChg", control.link_state()),
                ("Power", control.power_off()),
                ("Interlock", control.interlock()),
            ])
            .field(format!(
                "AttnInd {}",
                at(&INDICATOR, control.attention_indicator())
            ))
            .field(format!(
                "PwrInd {}",
                at(&INDICATOR, control.power_indicator())
            )),
        Expected::line("SltSta:")
            .flags([
                ("AttnBtn", status.attention_button()),
                ("PowerFlt", status.power_fault()),
                ("MRL", status.retention_latch_open()),
                ("CmdCplt", status.command_completed()),
                ("PresDet", status.present()),
                ("Interlock", status.interlock()),
            ])
            .field(format!(
                "Changed: MRL{} PresDet{} LinkState{}",
                sign(status.retention_latch_changed()),
                sign(status.presence_changed()),
                sign(status.link_state_changed()),
            )),
    ]
}

fn sign(set: bool) -> char {
    if set { '+' } else { '-' }
}

fn root(root: Root) -> Vec<Expected> {
    let (capabilities, control, status) = (root.capabilities, root.control, root.status);
    vec![
        Expected::line("RootCap:").flags([("CRSVisible", capabilities.retry_status_visible())]),
        Expected::line("RootCtl:").flags([
            ("ErrCorrectable", control.correctable_system_error()),
            ("ErrNon-Fatal", control.non_fatal_system_error()),
            ("ErrFatal", control.fatal_system_error()),
            ("PMEIntEna", control.pme_interrupt()),
            ("CRSVisible", control.retry_status_visible()),
        ]),
        Expected::line("RootSta:")
            .field(format!("PME ReqID {:04x}", status.pme_requester()))
            .flags([
                ("PMEStatus", status.pme()),
                ("PMEPending", status.pme_pending()),
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

fn device2(kind: PortType, decoded: &Decoded, device: Device2) -> Vec<Expected> {
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

fn link2(kind: PortType, address: Address, link: Link2) -> Vec<Expected> {
    let (capabilities, control, status) = (link.capabilities, link.control, link.status);
    let endpoint = matches!(kind, PortType::Endpoint | PortType::LegacyEndpoint);
    // Only the first function of a device has a say in its link, and lspci shows no other's.
    let speaks = !endpoint || (address.device, address.function) == (0, 0);
    let mut lines = vec![];
    if speaks && capabilities.0 != 0 {
        let speeds = match capabilities.speeds() {
            0x60.. => None,
            0x10.. => Some("2.5-32GT/s"),
            0x08.. => Some("2.5-16GT/s"),
            0x04.. => Some("2.5-8GT/s"),
            0x02.. => Some("2.5-5GT/s"),
            0x01 => Some("2.5GT/s"),
            0x00 => Some("Unknown"),
        };
        let line = Expected::line("LnkCap2:").flags([
            ("Crosslink", capabilities.crosslink()),
            ("Retimer", capabilities.retimer_detection()),
            ("2Retimers", capabilities.two_retimers_detection()),
            ("DRS", capabilities.device_readiness()),
        ]);
        lines.push(match speeds {
            Some(speeds) if capabilities.speeds() & 0x60 == 0 => {
                line.field(format!("Supported Link Speeds: {speeds}"))
            }
            _ => line,
        });
    }
    if speaks {
        lines.push(
            Expected::line("LnkCtl2:")
                .flags([
                    ("EnterCompliance", control.enter_compliance()),
                    ("SpeedDis", control.autonomous_speed_disable()),
                    (
                        "EnterModifiedCompliance",
                        control.enter_modified_compliance(),
                    ),
                    ("ComplianceSOS", control.compliance_sos()),
                ])
                .when((1..=6).contains(&control.target_speed_code()), |line| {
                    let code = u8::try_from(control.target_speed_code()).unwrap();
                    line.field(format!(
                        "Target Link Speed: {}",
                        speed(pci::LinkSpeed(code))
                    ))
                })
                .when(kind == PortType::DownstreamPort, |line| {
                    let decibel = if control.de_emphasis() {
                        "-3.5dB"
                    } else {
                        "-6dB"
                    };
                    line.field(format!("Selectable De-emphasis: {decibel}"))
                }),
        );
    }
    let decibel = if status.de_emphasis() {
        "-3.5dB"
    } else {
        "-6dB"
    };
    lines.push(
        Expected::line("LnkSta2:")
            .field(format!("De-emphasis Level: {decibel}"))
            .flags([
                ("EqualizationComplete", status.equalization_complete()),
                ("EqualizationPhase1", status.equalization_phase_1()),
                ("EqualizationPhase2", status.equalization_phase_2()),
                ("EqualizationPhase3", status.equalization_phase_3()),
                ("LinkEqualizationRequest", status.equalization_request()),
                ("Retimer", status.retimer()),
                ("2Retimers", status.two_retimers()),
            ])
            .field(format!(
                "CrosslinkRes: {}",
                at(
                    &[
                        "unsupported",
                        "Upstream Port",
                        "Downstream Port",
                        "incomplete"
                    ],
                    status.crosslink_resolution()
                )
            )),
    );
    lines
}
