use pci::{Address, Link, Link2, PortType};

use super::{L0S, L1, at};
use crate::expected::Expected;

fn speed(speed: pci::LinkSpeed) -> String {
    match speed.tenths_of_gigatransfers() {
        Some(tenths) => format!("{}GT/s", f64::from(tenths) / 10.0),
        None => "unknown".to_owned(),
    }
}

pub(super) fn link(kind: PortType, link: Link) -> Vec<Expected> {
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

pub(super) fn link2(kind: PortType, address: Address, link: Link2) -> Vec<Expected> {
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
