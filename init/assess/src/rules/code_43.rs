use hardware::Function;
use pci::VendorId;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const CODE_43: FindingId = FindingId::new("nvidia.code-43");

pub(super) const RULE: Rule = Rule {
    ids: &[CODE_43],
    judge,
};

const NVIDIA: VendorId = VendorId(0x10de);
/// The maker's driver minds a virtual machine only on these.
const CONSUMER: &str = "GeForce";

/// The driver runs in the guest, so all that can be told here is the risk and what answers it.
fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter(|function| {
            function.class.is_display()
                && function.id.vendor == NVIDIA
                && function.physical_function.known().is_none()
        })
        .filter_map(|function| judge_function(ctx, function))
        .collect()
}

fn judge_function(ctx: &Context, function: &Function) -> Option<Finding> {
    let name = ctx.name(function);
    let device = name.as_deref().unwrap_or_default();
    // A name that stops at its maker says nothing of the kind.
    let is_named = device.contains('[');
    if is_named && !device.contains(CONSUMER) {
        return None;
    }
    let (summary, remedy) = if is_mobile(device) {
        (
            "In a Windows guest the driver of this laptop display may stop with code 43.",
            "Give the guest a battery (an SSDT with one, '-acpitable' in the guest's args) and the card's \
             own subsystem ids (sub-vendor-id, sub-device-id); use a driver from version 465 on, or \
             'cpu: host,hidden=1' with an older one.",
        )
    } else {
        (
            "In a Windows guest an NVIDIA driver before version 465 stops with code 43.",
            "Use a driver from version 465 on. With an older one hide the hypervisor: 'cpu: \
             host,hidden=1' and another Hyper-V vendor id (hv-vendor-id). If code 43 comes all the same, \
             give the guest a clean ROM (romfile=).",
        )
    };
    let named = match &name {
        Some(name) => format!("{} is {}, {name}", function.address, function.id),
        None => format!(
            "{} is {}; whether it is a GeForce is not told by its number alone",
            function.address, function.id
        ),
    };
    Some(
        Finding::note(CODE_43, function.address, summary)
            .seen(named)
            .remedy(remedy),
    )
}

/// pci.ids names laptop displays so, and their chips end in M: `GP107M [GeForce GTX 1050 Mobile]`.
fn is_mobile(device: &str) -> bool {
    let chip = device.split('[').next().unwrap_or_default();
    let chip_is_mobile = chip.split_whitespace().last().is_some_and(|chip| {
        let digits = chip.chars().filter(char::is_ascii_digit).count();
        digits >= 2 && chip.ends_with('M')
    });
    chip_is_mobile || device.contains("Mobile") || device.contains("Max-Q")
}

#[cfg(test)]
mod tests {
    use pci::FunctionId;

    use super::*;
    use crate::Severity;
    use crate::testing::{Builder, GPU};

    fn nvidia() -> Builder {
        Builder::good().change(GPU, |gpu| gpu.id = FunctionId::new(0x10de, 0x1b81))
    }

    fn named(name: &'static str) -> Vec<Finding> {
        nvidia().findings_with_names(&RULE, name)
    }

    #[test]
    fn a_consumer_card_is_a_note_with_the_settings_that_answer_it() {
        let found = named("NVIDIA Corporation GP104 [GeForce GTX 1070]");
        assert_eq!(found[0].severity, Severity::Note);
        assert!(found[0].remedy.as_ref().unwrap().contains("hidden=1"));
        assert!(!found[0].remedy.as_ref().unwrap().contains("battery"));
    }

    #[test]
    fn a_laptop_display_needs_a_battery_too() {
        for name in [
            "NVIDIA Corporation GA106M [GeForce RTX 3060 Mobile / Max-Q]",
            "NVIDIA Corporation GM107M [GeForce GTX 950M]",
        ] {
            let found = named(name);
            assert!(
                found[0].remedy.as_ref().unwrap().contains("battery"),
                "{name}"
            );
        }
    }

    #[test]
    fn a_professional_card_and_other_makers_are_no_finding() {
        assert!(named("NVIDIA Corporation TU104GL [Tesla T4]").is_empty());
        assert!(named("NVIDIA Corporation GA102GL [RTX A6000]").is_empty());
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_card_whose_name_is_not_listed_is_not_taken_for_either() {
        let found = nvidia().only(&RULE);
        assert!(found.evidence[0].contains("not told"));
    }
}
