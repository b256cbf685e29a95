use std::cmp::Reverse;
use std::collections::BTreeMap;

use assess::{Assessment, Card, Finding, FunctionSummary, GroupSummary, Severity, Verdict};
use pci::{Address, AddressMap};

/// How a finding weighs for a person: what could not be read stands between caution and block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    Note,
    Care,
    Unknown,
    Blocks,
}

/// A card together with what the assessment says about it elsewhere.
pub(crate) struct CardView<'a> {
    pub(crate) card: &'a Card,
    /// Its functions, by address.
    pub(crate) functions: Vec<&'a FunctionSummary>,
    /// What it is known by: its display function, else its first.
    pub(crate) lead: Option<&'a FunctionSummary>,
    /// Its findings, the worst first, machine-wide ones before its own.
    pub(crate) findings: Vec<&'a Finding>,
}

/// An assessment by address and group number.
pub(crate) struct Index<'a> {
    pub(crate) assessment: &'a Assessment,
    groups: BTreeMap<u32, &'a GroupSummary>,
    functions: AddressMap<&'a FunctionSummary>,
    about_machine: Vec<&'a Finding>,
    /// Findings about each function.
    about: AddressMap<Vec<&'a Finding>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(assessment: &'a Assessment) -> Self {
        let functions = assessment.functions.iter();
        let mut about_machine = Vec::new();
        let mut about: AddressMap<Vec<_>> = AddressMap::default();
        for finding in &assessment.findings {
            match finding.function {
                Some(function) => about.entry(function).or_default().push(finding),
                None => about_machine.push(finding),
            }
        }
        let groups = assessment.groups.iter();
        Self {
            assessment,
            groups: groups.map(|group| (group.id, group)).collect(),
            functions: functions.map(|one| (one.address, one)).collect(),
            about_machine,
            about,
        }
    }

    pub(crate) fn group(&self, id: u32) -> Option<&'a GroupSummary> {
        self.groups.get(&id).copied()
    }

    pub(crate) fn function(&self, address: Address) -> Option<&'a FunctionSummary> {
        self.functions.get(&address).copied()
    }
}

impl<'a> CardView<'a> {
    pub(crate) fn new(index: &Index<'a>, card: &'a Card) -> Self {
        let functions: Vec<_> = functions(index, card).collect();
        let display = functions.iter().copied().find(|f| f.class.is_display());
        let own = card.functions.iter();
        let own = own.filter_map(|function| index.about.get(function));
        let mut findings: Vec<_> = [&index.about_machine]
            .into_iter()
            .chain(own)
            .flatten()
            .copied()
            .filter(|finding| card.findings.contains(&finding.id))
            .collect();
        findings.sort_by_key(|finding| Reverse(weight(finding)));
        Self {
            card,
            lead: display.or(functions.first().copied()),
            functions,
            findings,
        }
    }

    pub(crate) fn is_boot_display(&self) -> bool {
        self.functions.iter().any(|function| function.boot_vga)
    }

    /// The finding that the verdict rests on.
    pub(crate) fn main_reason(&self) -> Option<&'a Finding> {
        let wanted = match self.card.verdict {
            Verdict::Ready => return None,
            Verdict::Caution => Weight::Care,
            Verdict::Unknown => Weight::Unknown,
            Verdict::Blocked => Weight::Blocks,
        };
        self.findings
            .iter()
            .copied()
            .find(|finding| weight(finding) == wanted)
    }
}

pub(crate) fn weight(finding: &Finding) -> Weight {
    match finding.severity {
        Severity::Blocks => Weight::Blocks,
        _ if finding.unknown => Weight::Unknown,
        Severity::Caution => Weight::Care,
        Severity::Note => Weight::Note,
    }
}

/// The display cards, in the order in which people would pass them: those that the firmware does not
/// show its screen on first, then the better verdict.
pub(crate) fn display_cards<'a>(index: &Index<'a>) -> Vec<CardView<'a>> {
    let cards = index.assessment.cards.iter();
    let cards = cards.filter(|card| is_display(index, card));
    let mut cards: Vec<_> = cards.map(|card| CardView::new(index, card)).collect();
    cards.sort_by_key(|card| (card.is_boot_display(), card.card.verdict));
    cards
}

/// All other cards, in the order of the assessment.
pub(crate) fn other_cards<'a>(index: &Index<'a>) -> Vec<&'a Card> {
    let cards = index.assessment.cards.iter();
    cards.filter(|card| !is_display(index, card)).collect()
}

fn is_display(index: &Index, card: &Card) -> bool {
    functions(index, card).any(|function| function.class.is_display())
}

/// A card's functions, by address.
pub(crate) fn functions<'a>(
    index: &Index<'a>,
    card: &'a Card,
) -> impl Iterator<Item = &'a FunctionSummary> {
    card.functions.iter().filter_map(|at| index.function(*at))
}

/// The verdict in a word.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::Caution => "caution",
        Verdict::Unknown => "unknown",
        Verdict::Blocked => "blocked",
    }
}
