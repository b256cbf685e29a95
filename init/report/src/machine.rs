use std::collections::{BTreeMap, BTreeSet};

use assess::{Answer, Assessment, Finding, FunctionSummary, Iommu, IommuVendor, RegionSource};
use hardware::FirmwareKind;
use pci::Address;

use crate::card::source;
use crate::finding::Told;
use crate::label::fact;
use crate::name;
use crate::page::Page;
use crate::view::{CardView, Index, Weight, functions, other_cards, verdict, weight};

/// Longer lists are left to the JSON document: nobody reads them.
const ROWS: usize = 256;
/// The same for addresses in one line.
const ADDRESSES: usize = 64;

/// Says how many of a list were left out.
pub(crate) fn rest(page: &mut Page, count: usize, shown: usize, what: &str) {
    if let Some(more) = count.checked_sub(shown).filter(|more| *more > 0) {
        page.gap();
        page.paragraph("  ", &format!("and {more} more {what} in the JSON report"));
    }
}

/// As many as one line takes, and how many more there are.
fn joined(texts: impl ExactSizeIterator<Item = String>) -> String {
    let rest = texts.len().saturating_sub(ADDRESSES);
    let shown: Vec<_> = texts.take(ADDRESSES).collect();
    let shown = shown.join(", ");
    match rest {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Board, processor, kernel and IOMMU, and what is found about them that no card has told.
pub(crate) fn machine(page: &mut Page, assessment: &Assessment, told: &mut Told) {
    page.title("Machine");
    let machine = &assessment.machine;
    let unknown = "not known";
    let firmware = match machine.firmware {
        Some(FirmwareKind::Uefi) => " (UEFI)",
        Some(FirmwareKind::Bios) => " (legacy BIOS)",
        None => "",
    };
    let bios = machine.bios.as_deref().unwrap_or(unknown);
    let kernel = &assessment.kernel;
    let release = kernel.release.as_deref().unwrap_or(unknown);
    fact(page, "board", machine.board.as_deref().unwrap_or(unknown));
    fact(page, "firmware", &format!("{bios}{firmware}"));
    fact(page, "processor", machine.cpu.as_deref().unwrap_or(unknown));
    fact(page, "judged by", &format!("Linux {release}"));
    fact(
        page,
        "options",
        kernel.command_line.as_deref().unwrap_or(unknown),
    );
    iommu(page, &assessment.iommu);
    let rest: Vec<_> = assessment
        .findings
        .iter()
        .filter(|finding| finding.function.is_none() && weight(finding) > Weight::Note)
        .filter(|finding| !told.has(finding))
        .collect();
    for finding in &rest {
        told.reason(page, finding);
    }
    told.remedies(page, &rest);
}

fn iommu(page: &mut Page, iommu: &Iommu) {
    let firmware = match (iommu.vendor, iommu.firmware) {
        (IommuVendor::Intel, _) => "Intel VT-d",
        (IommuVendor::Amd, _) => "AMD-Vi",
        (IommuVendor::None, Answer::Unknown) => "firmware tables not read",
        (IommuVendor::None, _) => "none in the firmware's tables",
    };
    let active = match iommu.active {
        Answer::Yes => "in use",
        Answer::No => "not in use",
        Answer::Unknown => "not known if in use",
    };
    let units = if iommu.units.is_empty() {
        String::new()
    } else {
        format!(" ({})", iommu.units.join(", "))
    };
    fact(page, "IOMMU", &format!("{firmware}, {active}{units}"));
    let remapped = match iommu.interrupt_remapping {
        Answer::Yes => "interrupts of devices are remapped",
        Answer::No => "interrupts of devices are not remapped",
        Answer::Unknown => "not known",
    };
    fact(page, "remapping", remapped);
    for region in &iommu.reserved_regions {
        let functions: Vec<_> = region.functions.iter().map(ToString::to_string).collect();
        let by = match region.source {
            RegionSource::Kernel => "",
            RegionSource::Table => ", by the firmware's table",
        };
        let text = format!(
            "{} to {} ({}{by}) for {}",
            region.start,
            region.end,
            region.kind,
            functions.join(", ")
        );
        fact(page, "reserved", &text);
    }
}

/// A line for each function of the cards that are no display cards, and below a card why it is not
/// ready, unless the whole machine is the reason.
pub(crate) fn others(page: &mut Page, index: &Index) {
    let cards = other_cards(index);
    if cards.is_empty() {
        return;
    }
    page.title("Other cards");
    let addresses = cards.iter().flat_map(|card| functions(index, card));
    // The domain alone has no fixed width.
    let widest = addresses.map(|f| f.address).max();
    let width = widest.map_or(0, |address| address.to_string().len());
    for card in cards.iter().take(ROWS) {
        let card = &CardView::new(index, card);
        for function in &card.functions {
            let row = row(function, card, width);
            page.paragraph(&row, &name::short(function));
        }
        let reason = card
            .main_reason()
            .filter(|finding| finding.function.is_some());
        if let Some(finding) = reason {
            let before = " ".repeat(width + 4);
            page.paragraph(&before, &format!("{} [{}]", finding.summary, finding.id));
        }
    }
    rest(page, cards.len(), ROWS, "cards");
}

fn row(function: &FunctionSummary, card: &CardView, width: usize) -> String {
    let group = function
        .group
        .map_or("-".to_owned(), |group| group.to_string());
    format!(
        "  {:<width$}  {:<9} {:>4}  {:<8} ",
        function.address.to_string(),
        name::class(function.class),
        group,
        verdict(card.card.verdict)
    )
}

/// The groups that hold more than one function, a line each; then those that are alone in theirs.
pub(crate) fn groups(page: &mut Page, index: &Index) {
    let assessment = index.assessment;
    let Some(first) = assessment.groups.first() else {
        return;
    };
    page.title(&format!("Groups ({})", source(first.source)));
    let label = |address: &Address| match index.function(*address) {
        Some(function) => format!("{address} {}", name::class(function.class)),
        None => address.to_string(),
    };
    let (alone, shared): (Vec<_>, Vec<_>) = assessment
        .groups
        .iter()
        .partition(|group| group.functions.len() == 1);
    for group in shared.iter().take(ROWS) {
        let members = group.functions.iter().map(label);
        page.paragraph(&format!("  {:>3}  ", group.id), &joined(members));
    }
    rest(page, shared.len(), ROWS, "groups");
    if !alone.is_empty() {
        let alone = alone.iter().map(|group| {
            let only = group.functions.iter().map(ToString::to_string);
            format!("{} ({})", only.collect::<String>(), group.id)
        });
        page.paragraph("  alone: ", &joined(alone));
    }
}

/// Notes that no card has told: about the machine and about other cards. The same note about several
/// functions is one.
pub(crate) fn notes(page: &mut Page, assessment: &Assessment, shown: &[CardView]) {
    let shown: BTreeSet<_> = shown.iter().flat_map(|card| &card.card.functions).collect();
    let mut notes: Vec<(&Finding, Vec<Address>)> = Vec::new();
    let mut known = BTreeMap::new();
    for finding in &assessment.findings {
        let is_shown = finding.function.is_some_and(|at| shown.contains(&at));
        if weight(finding) > Weight::Note || is_shown {
            continue;
        }
        let number = *known
            .entry((&finding.id, &finding.summary, &finding.remedy))
            .or_insert_with(|| {
                notes.push((finding, Vec::new()));
                notes.len() - 1
            });
        if let Some((_, addresses)) = notes.get_mut(number) {
            addresses.extend(finding.function);
        }
    }
    if notes.is_empty() {
        return;
    }
    page.title("Notes");
    for (finding, addresses) in notes.iter().take(ROWS) {
        let about = if addresses.is_empty() {
            String::new()
        } else {
            format!("{}: ", joined(addresses.iter().map(ToString::to_string)))
        };
        let remedy = finding.remedy.as_deref().unwrap_or_default();
        page.paragraph(
            "  - ",
            &format!("{about}{} [{}] {remedy}", finding.summary, finding.id),
        );
    }
    rest(page, notes.len(), ROWS, "notes");
}
