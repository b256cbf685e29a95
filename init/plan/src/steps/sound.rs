use assess::{Severity, Verdict};
use hardware::Reading;
use proxmox::system::kernel::Presence;
use proxmox::system::release::Release;

use super::Step;
use crate::draft::Draft;

/// Whether there is anything to plan at all.
pub(super) const STEP: Step = Step {
    refusals: &[
        "nothing-chosen",
        "device-missing",
        "device-is-bridge",
        "other-system",
        "no-vfio",
        "card-blocked",
    ],
    write,
};

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    if ctx.choice.devices.is_empty() {
        draft.refuse("nothing-chosen", false, "No device is named.", Vec::new());
    }
    if ctx.is_asked("functions") {
        let default = (
            "card",
            "the functions of a card are made to be used together",
        );
        draft.option("functions", default);
    }
    if !ctx.missing.is_empty() {
        let evidence = ctx
            .missing
            .iter()
            .map(|address| format!("nothing is at {address}"))
            .collect();
        draft.refuse(
            "device-missing",
            false,
            "The machine does not have the device.",
            evidence,
        );
    }
    let bridges = ctx
        .given
        .iter()
        .filter(|function| function.class.is_bridge());
    let bridges: Vec<String> = bridges
        .map(|function| format!("{} is a bridge", function.address))
        .collect();
    if !bridges.is_empty() {
        draft.refuse(
            "device-is-bridge",
            false,
            "A bridge carries other devices and is never given to a guest.",
            bridges,
        );
    }
    match &ctx.system().release {
        Release::ProxmoxVe { .. } | Release::DebianFamily { .. } => {}
        other => draft.refuse(
            "other-system",
            false,
            "Only Proxmox VE and hosts made from Debian are changed.",
            vec![other.name()],
        ),
    }
    let without = ctx
        .system()
        .kernels
        .iter()
        .filter(|kernel| kernel.facts.vfio_pci == Reading::Known(Presence::Missing));
    let without: Vec<String> = without
        .map(|kernel| format!("{} has no vfio-pci", kernel.version))
        .collect();
    if !without.is_empty() && without.len() == ctx.system().kernels.len() {
        draft.refuse(
            "no-vfio",
            false,
            "No kernel of the system can give devices to a guest.",
            without,
        );
    } else {
        some_without_vfio(draft);
    }
    let cards = ctx.subject.assessment.cards.iter();
    let blocked = cards.filter(|card| {
        card.verdict == Verdict::Blocked
            && ctx
                .given
                .iter()
                .any(|function| card.functions.contains(&function.address))
    });
    let addresses: Vec<_> = blocked.flat_map(|card| &card.functions).collect();
    let findings = ctx.subject.assessment.findings.iter().filter(|finding| {
        finding.severity == Severity::Blocks
            && finding
                .function
                .is_none_or(|function| addresses.contains(&&function))
    });
    let evidence: Vec<String> = findings
        .map(|finding| format!("{}: {}", finding.id, finding.summary))
        .collect();
    if !addresses.is_empty() {
        draft.refuse(
            "card-blocked",
            true,
            "The card cannot be given to a guest as the machine is now.",
            evidence,
        );
    }
}

/// Where other kernels have vfio-pci, one without it stands against the plan only where it starts next.
fn some_without_vfio(draft: &mut Draft) {
    let ctx = draft.ctx;
    let kernels = ctx.system().kernels.iter();
    let without =
        kernels.filter(|kernel| kernel.facts.vfio_pci == Reading::Known(Presence::Missing));
    let starts = ctx.system().next_boots();
    for version in without.map(|kernel| kernel.version.as_str()) {
        let next = starts
            .iter()
            .find(|(_, next)| next.kernel.as_deref() == Some(version));
        match next {
            Some((_, next)) => draft.refuse(
                "no-vfio",
                false,
                "The kernel that starts next cannot give devices to a guest; let one start that can.",
                vec![format!("{version} has no vfio-pci, and {} starts it", next.place)],
            ),
            None => draft.warnings.push(format!(
                "{version} has no vfio-pci: when that kernel is started, the guest does not get the card."
            )),
        }
    }
}
