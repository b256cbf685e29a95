use std::collections::HashMap;

use hardware::Function;
use pci::FunctionId;

use super::Rule;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::{Finding, FindingId};

const TWIN: FindingId = FindingId::new("card.twin");

pub(super) const RULE: Rule = Rule {
    ids: &[TWIN],
    judge,
};

/// More of them are left out of the evidence.
const SHOWN: usize = 8;

/// Cards that people give to guests. Of the functions inside processors and chipsets many are alike, and
/// nobody binds them.
fn matters(card: &CardFunctions) -> bool {
    let class = card.lead.class;
    let is_virtual = card.lead.physical_function.known().is_some();
    let kind = class.is_display() || class.is_storage() || class.is_network() || class.is_usb();
    kind && !is_virtual
}

fn judge(ctx: &Context) -> Vec<Finding> {
    let mut alike: HashMap<FunctionId, Vec<&Function>> = HashMap::new();
    let answers = |function: &&Function| function.id.vendor.0 != u16::MAX;
    for function in ctx.functions().filter(answers) {
        if function.physical_function.known().is_none() {
            alike.entry(function.id).or_default().push(function);
        }
    }
    let cards = ctx.cards.iter().filter(|card| matters(card));
    cards.filter_map(|card| judge_card(&alike, card)).collect()
}

/// The first function of the card that another card has, too: sound functions of different graphics cards
/// can share their ids.
fn judge_card(
    alike: &HashMap<FunctionId, Vec<&Function>>,
    card: &CardFunctions,
) -> Option<Finding> {
    let (function, twins) = card.functions.iter().find_map(|function| {
        let twins: Vec<String> = alike
            .get(&function.id)?
            .iter()
            .filter(|other| !card.has(other.address))
            .take(SHOWN)
            .map(|other| other.address.to_string())
            .collect();
        (!twins.is_empty()).then_some((*function, twins))
    })?;
    let what = if function.address == card.lead.address {
        "Another device has the same ids"
    } else {
        "Another device has the same ids as one of its functions"
    };
    let id = function.id;
    Some(
        Finding::note(
            TWIN,
            function.address,
            format!("{what}: binding by id takes both."),
        )
        .seen(format!(
            "{} and {} are {id}",
            function.address,
            twins.join(", ")
        ))
        .remedy(
            "Bind it by its address (driver_override, 'driverctl set-override'), not by 'vfio-pci \
             ids='.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use pci::FunctionId;

    use super::*;
    use crate::testing::{AUDIO, Builder, GPU, address};
    use crate::{Severity, Verdict};

    const SECOND: &str = "02:00.0";

    /// Another card whose ids differ from those of every other function.
    fn two_cards() -> Builder {
        Builder::good()
            .add(SECOND, 0x03_00_00)
            .change(SECOND, |card| card.id = FunctionId::new(0x10de, 0x1b81))
    }

    #[test]
    fn two_cards_alike_are_a_note_on_each() {
        let twins = two_cards().change(GPU, |card| card.id = FunctionId::new(0x10de, 0x1b81));
        let found = twins.findings_of(&RULE);
        assert_eq!(found.len(), 2);
        assert!(
            found
                .iter()
                .all(|finding| finding.severity == Severity::Note)
        );
        assert!(found[0].evidence[0].contains("0000:02:00.0"));
        assert_eq!(twins.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn different_cards_are_no_finding() {
        assert!(two_cards().findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_sound_function_that_two_different_cards_share_is_told() {
        let sound = FunctionId::new(0x1002, 0xab28);
        let machine = two_cards()
            .add(AUDIO, 0x04_03_00)
            .add("02:00.1", 0x04_03_00)
            .change(AUDIO, |audio| audio.id = sound)
            .change("02:00.1", |audio| audio.id = sound);
        let found = machine.findings_of(&RULE);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].function, Some(address(AUDIO)));
        assert!(found[0].summary.contains("one of its functions"));
    }

    #[test]
    fn functions_that_do_not_answer_and_virtual_functions_are_no_twins() {
        let gone = FunctionId::new(0xffff, 0xffff);
        let machine = two_cards()
            .change(GPU, |card| card.id = gone)
            .change(SECOND, |card| card.id = gone);
        assert!(machine.findings_of(&RULE).is_empty());
        let network = Builder::good()
            .add("03:00.0", 0x02_00_00)
            .add("03:00.1", 0x02_00_00)
            .change(GPU, |card| card.id = FunctionId::new(0x10de, 0x1b81))
            .change("03:00.0", |nic| nic.id = FunctionId::new(0x8086, 0x1572))
            .change("03:00.1", |part| {
                part.id = FunctionId::new(0x8086, 0x1572);
                part.physical_function = hardware::Reading::Known(address("03:00.0"));
            });
        assert!(network.findings_of(&RULE).is_empty());
    }
}
