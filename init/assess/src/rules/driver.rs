use hardware::Function;

use super::Rule;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::{Finding, FindingId, Severity};

const BOUND: FindingId = FindingId::new("driver.bound");

pub(super) const RULE: Rule = Rule {
    ids: &[BOUND],
    judge,
};

/// Drivers that program a graphics card: it is no longer as the firmware left it, and some do not let
/// go of it.
const GRAPHICS: &[&str] = &["nouveau", "nvidia", "amdgpu", "radeon", "i915", "xe"];
/// Drivers that hold a function for a guest, or leave it alone.
const HARMLESS: &[&str] = &["pci-stub", "pcieport", "xen-pciback"];

/// One finding a card.
fn judge(ctx: &Context) -> Vec<Finding> {
    ctx.cards
        .iter()
        .filter_map(|card| judge_card(card))
        .collect()
}

fn judge_card(card: &CardFunctions) -> Option<Finding> {
    let bound: Vec<(&Function, &str)> = card
        .functions
        .iter()
        .filter_map(|function| Some((*function, function.driver.known()?.as_str())))
        .filter(|(_, driver)| is_in_the_way(driver))
        .collect();
    let graphics = bound.iter().find(|(_, driver)| GRAPHICS.contains(driver));
    let (function, driver) = graphics.or(bound.first())?;
    let (severity, remedy) = if graphics.is_some() {
        (
            Severity::Caution,
            format!(
                "Let vfio-pci have the card before {driver} does: 'softdep {driver} pre: vfio-pci' \
                 and the card's ids in /etc/modprobe.d, then rebuild the initramfs. A ROM read \
                 under this driver is not pristine."
            ),
        )
    } else {
        (
            Severity::Note,
            "Nothing needs to be done: Proxmox VE unbinds the driver when the guest starts."
                .to_owned(),
        )
    };
    let evidence = bound
        .iter()
        .map(|(function, driver)| format!("driver of {} is {driver}", function.address));
    let summary = format!("The driver {driver} has it.");
    Some(
        Finding::new(BOUND, severity, function.address, summary)
            .seen_all(evidence)
            .remedy(remedy),
    )
}

fn is_in_the_way(driver: &str) -> bool {
    // Vendors' variants are named mlx5_vfio_pci, nvgrace_gpu_vfio_pci and the like.
    !driver.contains("vfio") && !HARMLESS.contains(&driver)
}

#[cfg(test)]
mod tests {
    use hardware::Reading;

    use super::*;
    use crate::Verdict;
    use crate::testing::{AUDIO, Builder, GPU};

    fn driven_by(driver: &str) -> Builder {
        Builder::good().change(GPU, |gpu| gpu.driver = Reading::Known(driver.to_owned()))
    }

    #[test]
    fn a_graphics_driver_is_a_caution_that_names_it() {
        let machine = driven_by("amdgpu")
            .add(AUDIO, 0x04_03_00)
            .in_group(&[GPU, AUDIO])
            .change(AUDIO, |f| f.driver = Reading::Known("snd_hda_intel".into()));
        let found = machine.clone().only(&RULE);
        assert_eq!(found.severity, Severity::Caution);
        assert!(found.summary.contains("amdgpu"));
        assert!(found.evidence[1].contains("snd_hda_intel"));
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn another_driver_is_a_note() {
        assert_eq!(driven_by("e1000e").only(&RULE).severity, Severity::Note);
    }

    #[test]
    fn no_driver_or_one_that_holds_it_for_a_guest_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
        for driver in ["vfio-pci", "pci-stub", "nvgrace_gpu_vfio_pci"] {
            assert!(driven_by(driver).findings_of(&RULE).is_empty(), "{driver}");
        }
    }
}
