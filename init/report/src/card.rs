use assess::{Answer, FunctionSummary, GroupSource, GroupSummary, RomSummary, Verdict};
use hardware::{Link, LinkRate};

use crate::finding::Told;
use crate::label::{fact, facts};
use crate::page::Page;
use crate::view::{CardView, Index, Weight, weight};
use crate::{name, rom};

/// Everything about one card under its name: why, what to do, then the facts.
pub(crate) fn card(page: &mut Page, index: &Index, view: &CardView, told: &mut Told) {
    let Some(lead) = view.lead else {
        return;
    };
    page.gap();
    page.paragraph(&format!("{}  ", lead.address), &name::long(lead));
    let (reasons, notes): (Vec<_>, Vec<_>) = view
        .findings
        .iter()
        .copied()
        .partition(|finding| weight(finding) > Weight::Note);
    for finding in &reasons {
        told.reason(page, finding);
    }
    if view.card.verdict == Verdict::Ready {
        fact(page, "READY", "Nothing that was read stands against it.");
    }
    told.remedies(page, &reasons);
    place(page, index, view, lead);
    for finding in notes.iter().filter(|finding| finding.function.is_some()) {
        told.reason(page, finding);
        if let Some(remedy) = &finding.remedy {
            fact(page, "", remedy);
        }
    }
}

fn place(page: &mut Page, index: &Index, view: &CardView, lead: &FunctionSummary) {
    let functions = view.functions.iter().map(|function| {
        format!(
            "{} {}:{} {}{}, driver {}",
            function.address,
            function.vendor,
            function.device,
            if function.boot_vga { "boot " } else { "" },
            name::class(function.class),
            function.driver.as_deref().unwrap_or("none")
        )
    });
    facts(page, "functions", functions);
    fact(page, "slot", &slot(view));
    facts(page, "group", groups(index, view));
    if let Some(link) = &lead.link {
        fact(page, "link", &link_words(link));
    }
    fact(page, "reset", &reset(lead));
    facts(page, "ROM", rom_lines(view, lead));
}

fn slot(view: &CardView) -> String {
    let slot = view
        .card
        .slot
        .as_deref()
        .unwrap_or("not named by the board");
    match view.card.port {
        Some(port) => format!("{slot}, below port {port}"),
        None => format!("{slot}, on a root bus"),
    }
}

/// One line for each group that the card's functions are in.
fn groups(index: &Index, view: &CardView) -> Vec<String> {
    let mut numbers: Vec<_> = view.functions.iter().filter_map(|f| f.group).collect();
    numbers.dedup();
    if numbers.is_empty() {
        let why = match index.assessment.iommu.active {
            Answer::No => "none, since no IOMMU is in use",
            Answer::Yes | Answer::Unknown => "not known",
        };
        return vec![why.to_owned()];
    }
    numbers
        .iter()
        .map(|number| match index.group(*number) {
            Some(group) => group_words(index, view, group),
            None => format!("{number}; its members are not known"),
        })
        .collect()
}

fn group_words(index: &Index, view: &CardView, group: &GroupSummary) -> String {
    let GroupSummary { id, functions, .. } = group;
    let source = source(group.source);
    let own = &view.card.functions;
    let others: Vec<_> = functions
        .iter()
        .filter(|address| !own.contains(address))
        .map(|address| match index.function(*address) {
            Some(other) => format!("{address} {}", name::class(other.class)),
            None => address.to_string(),
        })
        .collect();
    if others.is_empty() {
        return format!("{id} ({source}): nothing but this card");
    }
    format!("{id} ({source}), together with {}", others.join(", "))
}

/// Where a group comes from, in a word or two.
pub(crate) fn source(source: GroupSource) -> &'static str {
    match source {
        GroupSource::Kernel => "kernel",
        GroupSource::Predicted => "predicted",
    }
}

fn link_words(link: &Link) -> String {
    format!("{} now, {} at best", rate(link.current), rate(link.max))
}

fn rate(rate: LinkRate) -> String {
    if rate.speed > 0.0 && rate.width > 0 {
        format!("{} GT/s x{}", rate.speed, rate.width)
    } else {
        "unknown".to_owned()
    }
}

fn reset(function: &FunctionSummary) -> String {
    match function.reset.as_deref() {
        None => "not read".to_owned(),
        Some([]) => "the kernel knows no way to reset it".to_owned(),
        Some(methods) => methods.join(", "),
    }
}

/// The ROM of the display function; those of others only where they have one.
fn rom_lines(view: &CardView, lead: &FunctionSummary) -> Vec<String> {
    let mut lines = rom::lines(&lead.rom);
    let others = view.functions.iter().filter(|f| f.address != lead.address);
    for other in others.filter(|f| f.rom != RomSummary::Absent) {
        let own = rom::lines(&other.rom);
        lines.extend(
            own.into_iter()
                .map(|line| format!("{}: {line}", other.address)),
        );
    }
    lines
}
