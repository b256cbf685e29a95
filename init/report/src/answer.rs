use assess::{Assessment, Verdict};

use crate::page::ascii;
use crate::view::{CardView, display_cards, other_cards};
use crate::{name, view};

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
/// A machine without display cards has one line that says so. Lines are not wrapped.
pub fn summary_lines(assessment: &Assessment) -> Vec<String> {
    let cards = display_cards(assessment);
    if cards.is_empty() {
        return vec![ascii(&no_graphics(assessment)).into_owned()];
    }
    let answers = cards.iter().map(answer);
    answers.map(|answer| ascii(&answer).into_owned()).collect()
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

fn no_graphics(assessment: &Assessment) -> String {
    let others = other_cards(assessment);
    let counts: Vec<_> = [
        Verdict::Ready,
        Verdict::Caution,
        Verdict::Unknown,
        Verdict::Blocked,
    ]
    .into_iter()
    .filter_map(|verdict| {
        let count = others
            .iter()
            .filter(|card| card.card.verdict == verdict)
            .count();
        (count > 0).then(|| format!("{count} {}", view::verdict(verdict)))
    })
    .collect();
    let rest = if counts.is_empty() {
        "No other card was found either".to_owned()
    } else {
        format!("Other cards: {}", counts.join(", "))
    };
    format!("NO GRAPHICS CARD FOUND. {rest}.")
}
