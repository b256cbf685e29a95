use hardware::Function;
use pci::VendorId;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId, Severity};

const AMD_BUG: FindingId = FindingId::new("reset.amd-bug");

pub(super) const RULE: Rule = Rule {
    ids: &[AMD_BUG],
    judge,
};

const AMD: VendorId = VendorId(0x1002);

/// Displays that do not come back from any reset that PCI has, by generation: first and last device id.
/// The vendor-reset module has a reset of its own for these.
const KNOWN: &[(&str, u16, u16)] = &[
    ("Polaris", 0x67c0, 0x67ff),
    ("Polaris", 0x6fdf, 0x6fdf),
    ("Polaris", 0x6980, 0x699f),
    ("Vega 10", 0x6860, 0x687f),
    ("Vega 20", 0x66a0, 0x66af),
    ("Navi 10", 0x7310, 0x731f),
    ("Navi 12", 0x7360, 0x7360),
    ("Navi 12", 0x7362, 0x7362),
    ("Navi 14", 0x7340, 0x7341),
    ("Navi 14", 0x7347, 0x7347),
    ("Navi 14", 0x734f, 0x734f),
    ("Arcturus", 0x738c, 0x738c),
];

/// Displays of which owners report the same, without a module that helps.
const REPORTED: &[(&str, u16, u16)] = &[("Lucienne", 0x164c, 0x164c), ("Navi 24", 0x743f, 0x743f)];

/// The method by which the kernel offers what a module adds (`pci_dev_specific_reset`).
const SPECIFIC: &str = "device_specific";

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter(|function| function.class.is_display() && function.id.vendor == AMD)
        .filter_map(|function| known(function).or_else(|| reported(function)))
        .collect()
}

fn generation(table: &[(&'static str, u16, u16)], function: &Function) -> Option<&'static str> {
    let id = function.id.device.0;
    let entry = table
        .iter()
        .find(|(_, first, last)| (*first..=*last).contains(&id));
    entry.map(|(name, _, _)| *name)
}

/// A caution while nothing resets it its own way, a note once something does.
fn known(function: &Function) -> Option<Finding> {
    let name = generation(KNOWN, function)?;
    let methods = function.reset_methods.known();
    let has_own = methods.is_some_and(|methods| methods.iter().any(|method| method == SPECIFIC));
    let (severity, summary, remedy) = if has_own {
        (
            Severity::Note,
            format!(
                "{name} cards do not come back from an ordinary reset; a module resets this one its own way."
            ),
            "Make sure that the module is loaded at every start, and that 'device_specific' is written to \
             reset_method before the guest starts.",
        )
    } else {
        (
            Severity::Caution,
            format!(
                "{name} cards are known not to come back from a reset: a second start of the guest may hang until the host is restarted."
            ),
            "Install the module vendor-reset on the host, load it at every start and write \
             'device_specific' to this function's reset_method (kernels from 5.15 on). Secure Boot must \
             know the module's signature. Without it, plan a restart of the host after the guest stops.",
        )
    };
    Some(
        Finding::new(AMD_BUG, severity, function.address, summary)
            .seen(evidence(function))
            .remedy(remedy),
    )
}

fn reported(function: &Function) -> Option<Finding> {
    let name = generation(REPORTED, function)?;
    let summary = format!(
        "Owners report that {name} displays do not always come back after the guest stops."
    );
    Some(
        Finding::note(AMD_BUG, function.address, summary)
            .seen(evidence(function))
            .remedy("Stop and start the guest a few times before you rely on it."),
    )
}

fn evidence(function: &Function) -> String {
    let methods = match function.reset_methods.known() {
        Some(methods) => format!("reset_method: {}", methods.join(" ")),
        None => "reset_method names no method or was not read".to_owned(),
    };
    format!("{} is {}; {methods}", function.address, function.id)
}

#[cfg(test)]
mod tests {
    use hardware::Reading;
    use pci::FunctionId;

    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU};

    fn amd(device: u16, methods: &[&str]) -> Builder {
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        Builder::good().change(GPU, |gpu| {
            gpu.id = FunctionId::new(0x1002, device);
            gpu.reset_methods = Reading::Known(methods);
        })
    }

    #[test]
    fn a_card_with_the_reset_bug_is_a_caution_that_names_the_module() {
        for device in [0x67df, 0x699f, 0x687f, 0x66af, 0x731f, 0x7340, 0x738c] {
            let machine = amd(device, &["bus"]);
            let found = machine.only(&RULE);
            assert_eq!(found.severity, Severity::Caution, "{device:04x}");
            assert!(found.remedy.unwrap().contains("vendor-reset"));
            assert_eq!(machine.gpu_verdict(), Verdict::Caution);
        }
    }

    #[test]
    fn once_a_module_resets_it_there_is_only_a_note() {
        let machine = amd(0x731f, &["device_specific", "bus"]);
        assert_eq!(machine.only(&RULE).severity, Severity::Note);
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn what_is_only_reported_is_a_note() {
        assert_eq!(amd(0x743f, &["bus"]).only(&RULE).severity, Severity::Note);
    }

    #[test]
    fn methods_that_were_not_read_do_not_hide_a_known_bug() {
        let machine = amd(0x67df, &[]).change(GPU, |gpu| {
            gpu.reset_methods = Reading::Unknown("kernel before 5.15".into());
        });
        assert_eq!(machine.only(&RULE).severity, Severity::Caution);
    }

    #[test]
    fn other_ids_and_other_makers_are_no_finding() {
        for device in [0x7342, 0x73bf, 0x67bf, 0x6970] {
            assert!(amd(device, &["bus"]).findings_of(&RULE).is_empty());
        }
        let other = Builder::good().change(GPU, |gpu| gpu.id = FunctionId::new(0x10de, 0x67df));
        assert!(other.findings_of(&RULE).is_empty());
    }
}
