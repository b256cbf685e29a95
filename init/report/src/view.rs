use std::cmp::Reverse;

use assess::{Assessment, Card, Finding, FunctionSummary, Severity, Verdict};
use pci::Address;

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

impl<'a> CardView<'a> {
    fn new(assessment: &'a Assessment, card: &'a Card) -> Self {
        let functions: Vec<_> = card
            .functions
            .iter()
            .filter_map(|address| function(assessment, *address))
            .collect();
        let display = functions.iter().copied().find(|f| f.class.is_display());
        let mut findings: Vec<_> = assessment
            .findings
            .iter()
            .filter(|finding| card.findings.contains(&finding.id))
            .filter(|finding| {
                finding
                    .function
                    .is_none_or(|at| card.functions.contains(&at))
            })
            .collect();
        findings.sort_by_key(|finding| Reverse(weight(finding)));
        Self {
            card,
            lead: display.or(functions.first().copied()),
            functions,
            findings,
        }
    }

    pub(crate) fn is_display(&self) -> bool {
        self.lead.is_some_and(|lead| lead.class.is_display())
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

pub(crate) fn function(assessment: &Assessment, address: Address) -> Option<&FunctionSummary> {
    assessment
        .functions
        .iter()
        .find(|function| function.address == address)
}

/// The display cards, in the order in which people would pass them: those that the firmware does not
/// show its screen on first, then the better verdict.
pub(crate) fn display_cards(assessment: &Assessment) -> Vec<CardView<'_>> {
    let mut cards: Vec<_> = all(assessment).filter(CardView::is_display).collect();
    cards.sort_by_key(|card| (card.is_boot_display(), card.card.verdict));
    cards
}

/// All other cards, in the order of the assessment.
pub(crate) fn other_cards(assessment: &Assessment) -> Vec<CardView<'_>> {
    all(assessment).filter(|card| !card.is_display()).collect()
}

fn all(assessment: &Assessment) -> impl Iterator<Item = CardView<'_>> {
    assessment
        .cards
        .iter()
        .map(|card| CardView::new(assessment, card))
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
