use assess::Assessment;

use crate::answer::answers;
use crate::card::card;
use crate::finding::Told;
use crate::machine::{groups, machine, notes, others, rest};
use crate::page::Page;
use crate::view::{Index, display_cards};

/// How the text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns; no line is longer. Less than 40 is taken as 40.
    pub width: usize,
    /// Marks answers and weights with ANSI colours. They take no columns.
    pub color: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            width: 80,
            color: false,
        }
    }
}

/// So many display cards have a section of their own; of a machine with more, the rest is for programs.
const CARDS: usize = 32;

/// The assessment for a person, in plain ASCII: first the answer, then why and what to do, then what
/// the machine is, its other cards and its groups.
pub fn text(assessment: &Assessment, options: &TextOptions) -> String {
    let mut page = Page::new(options.width);
    let index = Index::new(assessment);
    let cards = display_cards(&index);
    for line in answers(&index, &cards) {
        page.indented("", &line, 4);
    }
    let mut told = Told::default();
    for view in cards.iter().take(CARDS) {
        card(&mut page, &index, view, &mut told);
    }
    rest(&mut page, cards.len(), CARDS, "graphics cards");
    machine(&mut page, assessment, &mut told);
    others(&mut page, &index);
    groups(&mut page, &index);
    notes(&mut page, assessment, &cards);
    page.gap();
    page.paragraph(
        "",
        "What is in [brackets] is explained in docs/findings.md.",
    );
    let text = page.finish();
    if options.color {
        text.lines().map(|line| colored(line) + "\n").collect()
    } else {
        text
    }
}

const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[1;32m";
const YELLOW: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

/// What is coloured at the start of a line; the first match counts.
const COLORS: [(&str, &str); 8] = [
    ("YES.", GREEN),
    ("YES, WITH CARE.", YELLOW),
    ("NOT YET KNOWN.", YELLOW),
    ("NO GRAPHICS CARD FOUND.", YELLOW),
    ("NO.", RED),
    ("  BLOCKS ", RED),
    ("  UNKNOWN ", YELLOW),
    ("  CARE ", YELLOW),
];

fn colored(line: &str) -> String {
    for (start, color) in COLORS {
        if let Some(rest) = line.strip_prefix(start) {
            return format!("{color}{start}{PLAIN}{rest}");
        }
    }
    line.to_owned()
}
