use hardware::{Function, Reading};
use pci::FunctionId;

use super::Rule;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::{Finding, FindingId};

const NONE: FindingId = FindingId::new("reset.none");
const TOGETHER: FindingId = FindingId::new("reset.together");

pub(super) const RULE: Rule = Rule {
    ids: &[NONE, TOGETHER],
    judge,
};

/// Devices that do not come back from a bus reset (vendor, first and last device id), as
/// `quirk_no_bus_reset` in the kernel's drivers/pci/quirks.c has them for graphics cards.
const NO_BUS_RESET: &[(u16, u16, u16)] = &[(0x10de, 0x2340, 0x237f), (0x10de, 0x1eb8, 0x1eb8)];

/// One finding a card: what the kernel cannot reset function by function it may still reset as a whole.
fn judge(ctx: &Context) -> Vec<Finding> {
    ctx.cards
        .iter()
        .filter_map(|card| judge_card(ctx, card))
        .collect()
}

fn judge_card(ctx: &Context, card: &CardFunctions) -> Option<Finding> {
    let stuck: Vec<&Function> = card
        .functions
        .iter()
        .copied()
        .filter(|function| function.reset_methods == Reading::Absent)
        .collect();
    let first = stuck.first()?.address;
    let evidence = stuck
        .iter()
        .map(|function| format!("reset_method of {} names no method", function.address));
    let finding = match port_that_resets(ctx, card) {
        Some(port) => Finding::note(
            TOGETHER,
            first,
            "It has functions that the kernel cannot reset alone; VFIO resets the whole card through \
             its port.",
        )
        .seen(format!("the bus below {port} has the functions of this card and no others"))
        .remedy("Give all functions of the card to the same guest."),
        None => Finding::caution(
            NONE,
            first,
            "The kernel knows no way to reset it: it may start in one guest and not again before \
             the host is restarted.",
        )
        .remedy("Plan a restart of the host after the guest stops, and try it before you rely on it."),
    };
    let judged_by = format!("judged by {}", ctx.kernel().name());
    Some(finding.seen_all(evidence).seen(judged_by))
}

/// The port by which VFIO's hot reset reaches all functions of the card and nothing else. A card of one
/// function would have the method `bus` if that worked for it.
fn port_that_resets(ctx: &Context, card: &CardFunctions) -> Option<pci::Address> {
    let lead = card.lead;
    let port = ctx.bridge_above(lead)?.address;
    let (domain, bus) = (lead.address.domain, lead.address.bus);
    let alone = ctx
        .on_bus(domain, bus)
        .all(|function| card.has(function.address));
    let survives = card
        .functions
        .iter()
        .all(|function| survives_bus_reset(function.id));
    (card.functions.len() > 1 && alone && survives).then_some(port)
}

fn survives_bus_reset(id: FunctionId) -> bool {
    !NO_BUS_RESET.iter().any(|(vendor, first, last)| {
        id.vendor.0 == *vendor && (*first..=*last).contains(&id.device.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AUDIO, Builder, GPU};
    use crate::{Severity, Verdict};

    fn without_reset() -> Builder {
        Builder::good().change(GPU, |gpu| gpu.reset_methods = Reading::Absent)
    }

    fn two_functions_without_reset() -> Builder {
        without_reset()
            .add(AUDIO, 0x04_03_00)
            .in_group(&[GPU, AUDIO])
            .change(AUDIO, |audio| audio.reset_methods = Reading::Absent)
    }

    #[test]
    fn a_function_that_can_be_reset_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_card_of_one_function_without_a_method_is_a_caution() {
        let machine = without_reset();
        let found = machine.clone().only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("reset.none", Severity::Caution)
        );
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn functions_that_are_alone_on_their_bus_are_reset_together() {
        let machine = two_functions_without_reset();
        let found = machine.clone().only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("reset.together", Severity::Note)
        );
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn another_card_on_the_bus_or_a_card_that_does_not_come_back_rules_that_out() {
        let crowded = two_functions_without_reset().add("01:01.0", 0x02_00_00);
        assert_eq!(crowded.only(&RULE).id, "reset.none");
        let fragile = two_functions_without_reset()
            .change(GPU, |gpu| gpu.id = FunctionId::new(0x10de, 0x1eb8));
        assert_eq!(fragile.only(&RULE).id, "reset.none");
        let no_port = two_functions_without_reset().change(GPU, |gpu| gpu.parent = Reading::Absent);
        assert_eq!(no_port.only(&RULE).id, "reset.none");
    }
}
