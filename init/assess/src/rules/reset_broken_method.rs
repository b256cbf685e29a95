use hardware::Function;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const BROKEN: FindingId = FindingId::new("reset.broken-method");
const POWER_ONLY: FindingId = FindingId::new("reset.power-only");

pub(super) const RULE: Rule = Rule {
    ids: &[BROKEN, POWER_ONLY],
    judge,
};

/// Methods that hang or lose a device: vendor, first and last device id, method. As the kernel's
/// drivers/pci/quirks.c has them (`quirk_no_flr`, `quirk_nvidia_no_bus_reset`); a kernel without the entry
/// uses the method all the same.
const BROKEN_METHODS: &[(u16, u16, u16, &str)] = &[
    (0x1022, 0x1487, 0x1487, "flr"),
    (0x1022, 0x148c, 0x148c, "flr"),
    (0x1022, 0x149c, 0x149c, "flr"),
    (0x1022, 0x7901, 0x7901, "flr"),
    (0x8086, 0x1502, 0x1503, "flr"),
    (0x14c3, 0x0616, 0x0616, "flr"),
    (0x10de, 0x2340, 0x237f, "bus"),
    (0x10de, 0x1eb8, 0x1eb8, "bus"),
];

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter_map(|function| broken(ctx, function).or_else(|| power_only(function)))
        .collect()
}

fn broken(ctx: &Context, function: &Function) -> Option<Finding> {
    let methods = function.reset_methods.known()?;
    let id = function.id;
    let (_, _, _, method) = BROKEN_METHODS
        .iter()
        .find(|(vendor, first, last, method)| {
            id.vendor.0 == *vendor
                && (*first..=*last).contains(&id.device.0)
                && methods.iter().any(|known| known == method)
        })?;
    let others: Vec<&str> = methods
        .iter()
        .map(String::as_str)
        .filter(|other| other != method)
        .collect();
    let address = function.address;
    let remedy = if others.is_empty() {
        "Use a newer kernel, which leaves this method out.".to_owned()
    } else {
        format!(
            "Use a newer kernel, which leaves this method out; until then: echo {} > \
             /sys/bus/pci/devices/{address}/reset_method",
            others.join(",")
        )
    };
    let summary = format!(
        "The kernel would reset it by '{method}', which devices of this kind do not survive."
    );
    Some(
        Finding::caution(BROKEN, address, summary)
            .seen(format!(
                "{address} is {id}; reset_method: {}",
                methods.join(" ")
            ))
            .seen(format!("judged by {}", ctx.kernel().name()))
            .remedy(remedy),
    )
}

/// A change of power state clears less than a reset does; graphics drivers in guests notice.
fn power_only(function: &Function) -> Option<Finding> {
    let methods = function.reset_methods.known()?;
    if !function.class.is_display() || methods.iter().any(|method| method != "pm") {
        return None;
    }
    let summary = "The only reset that the kernel knows for it is a change of its power state, which \
                   some displays do not come back from.";
    Some(
        Finding::note(POWER_ONLY, function.address, summary)
            .seen(format!("reset_method of {}: pm", function.address))
            .remedy("Stop and start the guest a few times before you rely on it."),
    )
}

#[cfg(test)]
mod tests {
    use hardware::Reading;
    use pci::FunctionId;

    use super::*;
    use crate::testing::{Builder, GPU};
    use crate::{Severity, Verdict};

    fn with(vendor: u16, device: u16, methods: &[&str]) -> Builder {
        let methods: Vec<String> = methods.iter().map(|method| (*method).to_owned()).collect();
        Builder::good().change(GPU, |gpu| {
            gpu.id = FunctionId::new(vendor, device);
            gpu.reset_methods = Reading::Known(methods);
        })
    }

    #[test]
    fn a_method_that_hangs_the_device_is_a_caution_with_the_way_around_it() {
        let machine = with(0x1022, 0x149c, &["flr", "pm"]);
        let found = machine.only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("reset.broken-method", Severity::Caution)
        );
        assert!(found.remedy.unwrap().contains("echo pm >"));
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
        assert_eq!(
            with(0x10de, 0x2345, &["bus"]).only(&RULE).id,
            "reset.broken-method"
        );
    }

    #[test]
    fn a_kernel_that_leaves_the_method_out_is_no_finding() {
        assert!(with(0x1022, 0x149c, &["bus"]).findings_of(&RULE).is_empty());
        assert!(with(0x1022, 0x149d, &["flr"]).findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_display_that_only_changes_its_power_state_is_a_note_and_another_card_is_not() {
        let machine = with(0x1002, 0x73bf, &["pm"]);
        let found = machine.only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("reset.power-only", Severity::Note)
        );
        let network = machine.change(GPU, |card| card.class = pci::ClassCode(0x02_00_00));
        assert!(network.findings_of(&RULE).is_empty());
    }

    #[test]
    fn methods_that_were_not_read_say_nothing() {
        for methods in [Reading::Absent, Reading::Unknown("denied".into())] {
            let machine = with(0x1022, 0x149c, &[]).change(GPU, |gpu| gpu.reset_methods = methods);
            assert!(machine.findings_of(&RULE).is_empty());
        }
    }
}
