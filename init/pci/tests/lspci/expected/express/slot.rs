use pci::{ExpressSlot, Root};

use super::{at, power};
use crate::expected::Expected;

const INDICATOR: [&str; 4] = ["Unknown", "On", "Blink", "Off"];

pub(super) fn slot(slot: ExpressSlot) -> Vec<Expected> {
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

pub(super) fn root(root: Root) -> Vec<Expected> {
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
