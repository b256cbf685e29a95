use hardware::Reading;

use super::{Rule, rebar};
use crate::card::CardFunctions;
use crate::context::Context;
use crate::{Finding, FindingId};

const UNREAD: FindingId = FindingId::new("card.unread");

pub(super) const RULE: Rule = Rule {
    ids: &[UNREAD],
    judge,
};

/// What rules ask a card and could not be read, in one note a card. None of it decides a verdict.
fn judge(ctx: &Context) -> Vec<Finding> {
    ctx.cards
        .iter()
        .filter_map(|card| judge_card(card))
        .collect()
}

fn judge_card(card: &CardFunctions) -> Option<Finding> {
    let function = card.lead;
    let questions = [
        ("driver", why(&function.driver)),
        ("reset methods", why(&function.reset_methods)),
        ("link", why(&function.link)),
        (
            "boot display",
            why(&function.boot_vga).filter(|_| function.class.is_vga()),
        ),
        ("memory regions", why(&function.bars)),
        (
            "ROM region",
            why(&function.rom_region).filter(|_| card.is_display()),
        ),
    ];
    let resizable = card.is_display().then(|| rebar::unread(function)).flatten();
    let open: Vec<(&str, &str)> = questions
        .into_iter()
        .chain([("resizable BAR", resizable.as_deref())])
        .filter_map(|(what, why)| Some((what, why?)))
        .collect();
    if open.is_empty() {
        return None;
    }
    let names: Vec<_> = open.iter().map(|(what, _)| *what).collect();
    let summary = ["Not read, and so not judged: ", &names.join(", "), "."].concat();
    let address = function.address.to_string();
    let evidence = open
        .iter()
        .map(|(what, why)| [what, " of ", &address, ": ", why].concat());
    Some(
        Finding::note(UNREAD, function.address, summary)
            .seen_all(evidence)
            .remedy("Start this machine from the Preflight stick to have all of it read."),
    )
}

fn why<T>(reading: &Reading<T>) -> Option<&str> {
    match reading {
        Reading::Unknown(why) => Some(why),
        Reading::Known(_) | Reading::Absent => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU};

    #[test]
    fn a_card_that_was_read_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn what_was_not_read_is_named_in_one_note_with_its_reasons() {
        let machine = Builder::good().change(GPU, |gpu| {
            gpu.link = Reading::Unknown("no such file in this copy".into());
            gpu.reset_methods = Reading::Unknown("kernel before 5.15".into());
        });
        let found = machine.clone().only(&RULE);
        assert!(found.summary.contains("reset methods, link"));
        assert!(
            found
                .evidence
                .iter()
                .any(|line| line.contains("before 5.15"))
        );
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }
}
