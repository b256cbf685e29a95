use std::collections::BTreeSet;

use isolation::{Attachment, Landing, Mover, Override, Part, Term};
use pci::Address;

use super::Rule;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::{Finding, FindingId};

const WAY_OUT: FindingId = FindingId::new("group.way-out");

pub(super) const RULE: Rule = Rule {
    ids: &[WAY_OUT],
    judge,
};

/// So many slots, and so many functions in one, are named.
const NAMED: usize = 6;

/// So many cards are moved in thought: more nobody moves by hand.
const CARDS: usize = 8;
/// And into so many slots: more no board has.
const SLOTS: usize = 64;

/// The overrides that people set, the one that claims least first.
const OVERRIDES: &[&[Term]] = &[
    &[Term::Downstream],
    &[Term::Multifunction],
    &[Term::Downstream, Term::Multifunction],
];

/// For a graphics card that shares its group: which slots would have it alone, and what an override would
/// change and cost.
fn judge(ctx: &Context) -> Vec<Finding> {
    let sharing: Vec<_> = ctx
        .cards
        .iter()
        .filter(|card| card.is_display())
        .filter(|card| {
            let groups = ctx.groups_of(card);
            groups.iter().any(|(group, _)| ctx.is_shared(card, *group))
        })
        .collect();
    if sharing.is_empty() || !ctx.options.acs_override.is_none() {
        return Vec::new();
    }
    let mut mover = ctx.predictor.mover(SLOTS);
    let moved = sharing.iter().take(CARDS);
    let moved: Vec<Address> = moved
        .flat_map(|card| card.functions.iter().map(|function| function.address))
        .collect();
    let tried: Vec<_> = OVERRIDES
        .iter()
        .map(|terms| {
            let what = Override::of(terms.iter().copied());
            let part = mover.under(&what, &moved);
            Tried { what, part }
        })
        .collect();
    let ways = sharing.iter().take(CARDS);
    let ways = ways.map(|card| way_out(ctx, card, &mut mover, &tried));
    let others = sharing.len().checked_sub(CARDS).filter(|more| *more > 0);
    let others = others.map(|more| {
        let summary = format!(
            "{more} more graphics cards share their groups; for the first {CARDS} alone a way out was \
             looked for."
        );
        Finding::note(WAY_OUT, None, summary)
    });
    ways.chain(others).collect()
}

/// The cards' groups under an override.
struct Tried {
    what: Override,
    part: Part,
}

fn way_out(ctx: &Context, card: &CardFunctions, mover: &mut Mover, tried: &[Tried]) -> Finding {
    let own: Vec<Address> = card.functions.iter().map(|f| f.address).collect();
    let mut landings = mover.landings(&own);
    // A port above the one that the card is below holds the whole way to it.
    landings.retain(|landing| !own.iter().any(|own| landing.occupants.contains(own)));
    landings.retain(|landing| takes_a_card(ctx, landing));
    // What could not be read was taken as not isolating: it can only make such a list shorter.
    let mut free: Vec<&Landing> = landings
        .iter()
        .filter(|landing| endpoints(ctx, &landing.shares_with).is_empty())
        .collect();
    free.sort_by_key(|landing| {
        (
            !landing.occupants.is_empty(),
            landing.attachment != Attachment::Processor,
        )
    });
    let before = with_whom(ctx, &own, |one| {
        let group = ctx.groups.prediction.group_of(one)?;
        Some(&group.functions)
    });
    let first = tried
        .iter()
        .find(|tried| with_whom(ctx, &own, |one| tried.part.group_of(one)).is_empty());
    let summary = match (free.first(), first) {
        (Some(landing), _) => format!(
            "It would be alone in another slot: {}.",
            place(ctx, landing)
        ),
        (None, Some(Tried { what, .. })) => format!(
            "No other slot is known to have it alone; only 'pcie_acs_override={what}' would part it from \
             the others, without keeping them apart."
        ),
        (None, None) => {
            "No other slot is known to have it alone, and no ACS override would part it from the others."
                .to_owned()
        }
    };
    let slots = free.iter().take(NAMED).map(|landing| {
        let occupied = match landing.occupants.first() {
            Some(occupant) => format!("; {} is there now", ctx.label(*occupant)),
            None => "; empty".to_owned(),
        };
        format!("alone in {}{occupied}", place(ctx, landing))
    });
    let shared = landings
        .iter()
        .filter(|landing| !endpoints(ctx, &landing.shares_with).is_empty())
        .take(NAMED)
        .map(|landing| {
            let others = endpoints(ctx, &landing.shares_with);
            format!(
                "in {} it would be with {}",
                place(ctx, landing),
                named(&others)
            )
        });
    let lines = tried.iter();
    let lines = lines.map(|tried| override_line(ctx, tried, &before, &own));
    let mut finding = Finding::note(WAY_OUT, card.lead.address, summary)
        .seen_all(slots)
        .seen_all(lines)
        .seen_all(shared)
        .seen(format!(
            "predicted by the rules of {}",
            ctx.groups.prediction.model
        ));
    if let (true, Some(tried)) = (free.is_empty(), first) {
        finding = finding.remedy(price(ctx, tried, &before));
    }
    finding
}

/// A port whose slot nobody names may lead to what is soldered to the board, unless a card is seen in it.
fn takes_a_card(ctx: &Context, landing: &Landing) -> bool {
    let is_named = landing.slot.is_some() || landing.slot_number.is_some();
    let mut occupants = landing.occupants.iter().filter_map(|at| ctx.function(*at));
    is_named || landing.occupants.is_empty() || occupants.any(|one| one.class.is_display())
}

fn override_line(
    ctx: &Context,
    tried: &Tried,
    before: &BTreeSet<Address>,
    own: &[Address],
) -> String {
    let what = &tried.what;
    let after = with_whom(ctx, own, |one| tried.part.group_of(one));
    if after.is_empty() {
        format!("'pcie_acs_override={what}': it would be alone")
    } else if after == *before {
        format!(
            "'pcie_acs_override={what}' frees nothing here: still with {}",
            named(&after)
        )
    } else {
        format!("'pcie_acs_override={what}': still with {}", named(&after))
    }
}

/// What the override declares and no hardware does, in words.
fn price(ctx: &Context, tried: &Tried, before: &BTreeSet<Address>) -> String {
    let what = &tried.what;
    let declared = ctx.predictor.declared(what);
    format!(
        "Best get a board or slot that isolates. A Proxmox kernel takes 'pcie_acs_override={what}': it \
         declares {} isolated though they enforce nothing, so the guest's card can read and write the \
         memory of {} past the IOMMU, and they its.",
        named(&declared),
        named(before)
    )
}

/// The functions of others that are in a group with the card, bridges left out.
fn with_whom<'g>(
    ctx: &Context,
    own: &[Address],
    group_of: impl Fn(Address) -> Option<&'g [Address]>,
) -> BTreeSet<Address> {
    let groups = own.iter().filter_map(|address| group_of(*address));
    let members: Vec<Address> = groups
        .flatten()
        .copied()
        .filter(|address| !own.contains(address))
        .collect();
    endpoints(ctx, &members)
}

fn endpoints(ctx: &Context, members: &[Address]) -> BTreeSet<Address> {
    let members = members.iter().copied();
    members
        .filter(|address| !ctx.function(*address).is_some_and(|f| f.class.is_bridge()))
        .collect()
}

fn place(ctx: &Context, landing: &Landing) -> String {
    let slots = ctx.machine.board_slots.known().into_iter().flatten();
    let mut listed = slots.filter(|slot| slot.address == Some(landing.port));
    let named = landing.slot.clone();
    let name = named.or_else(|| listed.next().map(|slot| slot.designation.clone()));
    let name = match (name, landing.slot_number) {
        (Some(name), _) => format!("slot {name} (port {})", landing.port),
        (None, Some(number)) => format!("slot number {number} (port {})", landing.port),
        (None, None) => format!("the slot below port {}", landing.port),
    };
    let whose = match landing.attachment {
        Attachment::Processor => ", on the processor",
        Attachment::Chipset => ", on the chipset",
        Attachment::Unknown => "",
    };
    let link = landing
        .link
        .filter(|link| link.width > 0)
        .map_or(String::new(), |link| format!(", x{}", link.width));
    format!("{name}{whose}{link}")
}

fn named<'l>(
    addresses: impl IntoIterator<Item = &'l Address, IntoIter: ExactSizeIterator>,
) -> String {
    let addresses = addresses.into_iter();
    let count = addresses.len();
    let shown: Vec<String> = addresses.take(NAMED).map(ToString::to_string).collect();
    match count.checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn a_card_that_shares_with_nobody_needs_no_way_out() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn of_many_cards_that_share_the_first_are_moved_and_the_rest_are_counted() {
        let mut machine = Builder::good();
        let places: Vec<String> = (0..CARDS + 2)
            .map(|at| format!("0000:{:02x}:00.0", 0x20 + at))
            .collect();
        for place in &places {
            machine = machine.add(place, 0x03_00_00);
        }
        // The card of the good machine joins them.
        let group: Vec<&str> = places.iter().map(String::as_str).collect();
        let findings = machine.in_group(&group).findings_of(&RULE);
        assert_eq!(findings.len(), CARDS + 1);
        let last = findings.last().unwrap();
        assert_eq!(last.function, None);
        assert!(
            last.summary.starts_with("3 more graphics cards"),
            "{}",
            last.summary
        );
    }
}
