use assess::{Assessment, Card, Verdict};

use crate::page::ascii;
use crate::view::{CardView, Index, display_cards, other_cards};
use crate::{name, view};

/// So many cards get an answer of their own, the best ones; more would fill the screen.
const ANSWERED: usize = 16;
/// Longer names are cut in the answer; the card's own section has them whole.
const NAME_LENGTH: usize = 44;

/// First words of sentences that may stand in lower case behind a colon. Any other may be a name.
const COMMON_WORDS: [&str; 15] = [
    "The",
    "A",
    "An",
    "Its",
    "It",
    "This",
    "These",
    "No",
    "There",
    "Nothing",
    "Interrupt",
    "Interrupts",
    "Firmware",
    "What",
    "Whether",
];

/// The answer, one line of plain ASCII for each display card, the card that people would pass first.
/// A machine without display cards has one line that says so, and one with very many a last line that counts
/// the rest. Lines are not wrapped.
pub fn summary_lines(assessment: &Assessment) -> Vec<String> {
    let index = Index::new(assessment);
    answers(&index, &display_cards(&index))
}

/// The same, where the display cards are at hand.
pub(crate) fn answers(index: &Index, cards: &[CardView]) -> Vec<String> {
    if cards.is_empty() {
        return vec![ascii(&no_graphics(index)).into_owned()];
    }
    let (answered, rest) = cards.split_at(cards.len().min(ANSWERED));
    let more = (!rest.is_empty()).then(|| {
        let counts = counts(rest.iter().map(|view| view.card));
        format!("AND {} MORE GRAPHICS CARDS: {counts}.", rest.len())
    });
    let lines = answered.iter().map(answer).chain(more);
    lines.map(|line| ascii(&line).into_owned()).collect()
}

fn answer(card: &CardView) -> String {
    let who = who(card);
    let reason = card.main_reason().map(|finding| clause(&finding.summary));
    let because = |lead: &str| {
        reason
            .as_ref()
            .map_or(String::new(), |r| format!("{lead}{r}"))
    };
    match card.card.verdict {
        Verdict::Ready => format!("YES. {who} can be passed through."),
        Verdict::Caution => {
            let mind = because(". Mind: ");
            format!("YES, WITH CARE. {who} can be passed through{mind}.")
        }
        Verdict::Blocked => {
            let why = because(": ");
            format!("NO. {who} cannot be passed through{why}.")
        }
        Verdict::Unknown => {
            let why = because(": ");
            format!("NOT YET KNOWN. {who} cannot be judged{why}.")
        }
    }
}

fn who(card: &CardView) -> String {
    let Some(lead) = card.lead else {
        return "A graphics card".to_owned();
    };
    let name = name::short(lead);
    let name = match name.char_indices().nth(NAME_LENGTH) {
        Some((cut, _)) => format!("{}...", name.get(..cut).unwrap_or_default().trim_end()),
        None => name,
    };
    format!("{name} ({})", lead.address)
}

/// The main part of a sentence as the end of another one: what stands behind a colon or semicolon
/// explains, and is told below.
fn clause(sentence: &str) -> String {
    let main = sentence
        .split([':', ';'])
        .map(str::trim)
        .find(|part| part.contains(' '));
    let sentence = main.unwrap_or(sentence).trim_end_matches('.');
    let first = sentence.split(' ').next().unwrap_or_default();
    if COMMON_WORDS.contains(&first) {
        let rest = sentence.get(1..).unwrap_or_default();
        return format!(
            "{}{rest}",
            first.to_lowercase().get(..1).unwrap_or_default()
        );
    }
    sentence.to_owned()
}

fn no_graphics(index: &Index) -> String {
    let others = other_cards(index);
    let rest = if others.is_empty() {
        "No other card was found either".to_owned()
    } else {
        format!("Other cards: {}", counts(others.iter().copied()))
    };
    format!("NO GRAPHICS CARD FOUND. {rest}.")
}

/// `3 ready, 1 blocked`.
fn counts<'a>(cards: impl Iterator<Item = &'a Card> + Clone) -> String {
    let counts: Vec<_> = [
        Verdict::Ready,
        Verdict::Caution,
        Verdict::Unknown,
        Verdict::Blocked,
    ]
    .into_iter()
    .filter_map(|verdict| {
        let same = cards.clone().filter(|card| card.verdict == verdict);
        let count = same.count();
        (count > 0).then(|| format!("{count} {}", view::verdict(verdict)))
    })
    .collect();
    counts.join(", ")
}
