use hardware::{Function, Link, Reading};
use pci::PortType;

use super::Rule;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::{Finding, FindingId, Severity};

const NARROW: FindingId = FindingId::new("link.narrow");
const NARROW_SLOT: FindingId = FindingId::new("link.narrow-slot");

pub(super) const RULE: Rule = Rule {
    ids: &[NARROW, NARROW_SLOT],
    judge,
};

/// Longest way up through a card's own switch.
const MAX_HOPS: usize = 8;

fn judge(ctx: &Context) -> Vec<Finding> {
    ctx.cards
        .iter()
        .filter_map(|card| judge_card(ctx, card))
        .collect()
}

/// The first link that is narrower than both of its ends allow; else, for a display, a slot that has
/// fewer lanes than its card.
fn judge_card(ctx: &Context, card: &CardFunctions) -> Option<Finding> {
    let lead = card
        .functions
        .iter()
        .copied()
        .find(|function| function.link.known().is_some())?;
    let hops = hops(ctx, lead, card.is_display());
    hops.iter()
        .find_map(|hop| narrow(lead, hop))
        .or_else(|| hops.last().and_then(|hop| narrow_slot(card, hop)))
}

/// A link: its lower end, and its upper end where that was read.
struct Hop<'a> {
    lower: &'a Function,
    link: &'a Link,
    upper: Option<(&'a Function, &'a Link)>,
}

/// The card's link, and for graphics cards with a switch of their own also the one above that.
fn hops<'a>(ctx: &Context<'a>, lead: &'a Function, through_switch: bool) -> Vec<Hop<'a>> {
    let mut hops = Vec::new();
    let mut next = Some(lead);
    while let Some(lower) = next.filter(|_| hops.len() < MAX_HOPS) {
        let Some(link) = lower.link.known() else {
            break;
        };
        let above = ctx.bridge_above(lower);
        let upper = above.and_then(|port| Some((port, port.link.known()?)));
        hops.push(Hop { lower, link, upper });
        next = above
            .and_then(|port| ctx.bridge_above(port))
            .filter(|port| through_switch && is_upstream(port));
    }
    hops
}

fn is_upstream(port: &Function) -> bool {
    port.port_type() == Reading::Known(PortType::UpstreamPort)
}

fn narrow(lead: &Function, hop: &Hop) -> Option<Finding> {
    let (now, best) = (hop.link.current.width, best_width(hop)?);
    if now == 0 || now >= best {
        return None;
    }
    let summary = format!("Its link runs {now} lanes wide where {best} are possible.");
    Some(
        Finding::new(NARROW, Severity::Caution, lead.address, summary)
            .seen_all(evidence(hop))
            .remedy(
                "Seat the card again and clean its contacts; look whether another device takes lanes \
                 of this slot, and for a bifurcation setting in the firmware setup.",
            ),
    )
}

/// What both ends can do. Without the upper end's word the slot may be the limit, and nothing is said.
fn best_width(hop: &Hop) -> Option<u8> {
    let (_, upper) = hop.upper?;
    let best = hop.link.max.width.min(upper.max.width);
    (best > 0).then_some(best)
}

fn narrow_slot(card: &CardFunctions, hop: &Hop) -> Option<Finding> {
    let (_, upper) = hop.upper?;
    let (own, slot) = (hop.link.max.width, upper.max.width);
    if !card.is_display() || slot == 0 || slot >= own {
        return None;
    }
    let summary = format!("It can use {own} lanes, and its slot has {slot}.");
    let address = card.lead.address;
    Some(Finding::note(NARROW_SLOT, address, summary).seen_all(evidence(hop)))
}

fn evidence(hop: &Hop) -> impl Iterator<Item = String> {
    let upper = hop.upper.map(|(port, link)| line("port", port, link));
    [line("link of", hop.lower, hop.link)]
        .into_iter()
        .chain(upper)
}

fn line(what: &str, function: &Function, link: &Link) -> String {
    let (current, max) = (link.current, link.max);
    format!(
        "{what} {}: x{} at {} GT/s now, x{} at {} GT/s at most (idle cards lower their speed)",
        function.address, current.width, current.speed, max.width, max.speed
    )
}

#[cfg(test)]
mod tests {
    use hardware::{LinkRate, Reading};

    use super::*;
    use crate::testing::{Builder, GPU, PORT};

    fn link(now: u8, max: u8, speed: f32) -> Reading<Link> {
        Reading::Known(Link {
            current: LinkRate { speed, width: now },
            max: LinkRate {
                speed: 16.0,
                width: max,
            },
        })
    }

    fn machine(card: Reading<Link>, port: Reading<Link>) -> Builder {
        Builder::good()
            .change(GPU, |gpu| gpu.link = card)
            .change(PORT, |root_port| root_port.link = port)
    }

    #[test]
    fn fewer_lanes_than_both_ends_allow_is_a_caution() {
        let found = machine(link(4, 16, 16.0), link(4, 16, 16.0)).only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("link.narrow", Severity::Caution)
        );
        assert!(found.summary.contains("4 lanes") && found.summary.contains("16"));
        assert_eq!(found.evidence.len(), 2);
    }

    #[test]
    fn an_idle_cards_low_speed_is_no_finding() {
        assert!(
            machine(link(16, 16, 2.5), link(16, 16, 2.5))
                .findings_of(&RULE)
                .is_empty()
        );
    }

    #[test]
    fn a_slot_with_fewer_lanes_than_the_card_is_a_note() {
        let found = machine(link(4, 16, 16.0), link(4, 4, 16.0)).only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("link.narrow-slot", Severity::Note)
        );
    }

    #[test]
    fn without_the_ports_word_and_with_unknown_widths_nothing_is_said() {
        let unread = Reading::Unknown("denied".into());
        assert!(
            machine(link(4, 16, 16.0), unread)
                .findings_of(&RULE)
                .is_empty()
        );
        assert!(
            machine(link(0, 16, 16.0), link(0, 16, 16.0))
                .findings_of(&RULE)
                .is_empty()
        );
        assert!(
            machine(Reading::Absent, link(1, 16, 16.0))
                .findings_of(&RULE)
                .is_empty()
        );
    }

    #[test]
    fn the_link_above_a_cards_own_switch_counts() {
        let narrow = Builder::good()
            .behind_own_switch()
            .change(GPU, |gpu| gpu.link = link(16, 16, 16.0))
            .change("02:00.0", |port| port.link = link(16, 16, 16.0))
            .change("01:10.0", |port| port.link = link(8, 16, 16.0))
            .change(PORT, |port| port.link = link(8, 16, 16.0));
        let found = narrow.only(&RULE);
        assert_eq!(found.function, Some(crate::testing::address(GPU)));
        assert!(found.evidence[0].contains("0000:01:10.0"));
    }
}
