use std::ops::Range;

use super::source::Source;
use super::words::cut;

/// The value of a shell assignment, character by character, each with the bytes that stand for it.
pub(super) struct ShellValue {
    span: Range<usize>,
    raw: String,
    units: Vec<Unit>,
}

#[derive(Clone, Debug)]
struct Unit {
    /// None for an expansion, whose text is not known here.
    character: char,
    span: Range<usize>,
    /// Counts quotes: two characters with the same number have none between them.
    region: usize,
    quote: Option<char>,
}

/// What stands for an expansion: nothing that a word can hold.
const EXPANSION: char = '\u{fffd}';

/// A word of the value.
#[derive(Clone, Debug)]
pub(super) struct ShellWord {
    pub(super) text: String,
    /// Where it stands alone between quotes; none where quotes run through it, or an expansion is in it.
    span: Option<Range<usize>>,
}

impl ShellWord {
    /// Where it begins; words that are not edited come first.
    pub(super) fn start(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.start)
    }
}

impl ShellValue {
    /// `span` is the value in the source, with its quotes.
    pub(super) fn read(source: &Source, span: Range<usize>) -> Self {
        let raw = source
            .text()
            .get(span.clone())
            .unwrap_or_default()
            .to_owned();
        let units = units(&raw, span.start);
        Self { span, raw, units }
    }

    pub(super) fn words(&self) -> Vec<ShellWord> {
        let units = self.units.iter().map(|unit| (unit.character, unit));
        cut(units).iter().map(|word| self.word(word)).collect()
    }

    fn word(&self, units: &[(char, &Unit)]) -> ShellWord {
        let text: String = units.iter().map(|(character, _)| *character).collect();
        let span = units
            .first()
            .zip(units.last())
            .and_then(|((_, first), (_, last))| {
                let alone = first.region == last.region && !text.contains(EXPANSION);
                alone.then_some(first.span.start..last.span.end)
            });
        ShellWord { text, span }
    }

    /// Writes another word in the place of one, or takes it away with the white space before it. Says whether
    /// it could.
    pub(super) fn replace(
        &self,
        source: &mut Source,
        word: &ShellWord,
        instead: Option<&str>,
    ) -> bool {
        let Some(span) = &word.span else {
            return false;
        };
        match instead {
            Some(text) => source.replace(span.clone(), text),
            None => source.replace(self.with_gap(span), ""),
        }
        true
    }

    /// A word with the white space before it, or behind it where it is the first one between its quotes.
    fn with_gap(&self, word: &Range<usize>) -> Range<usize> {
        let region = self
            .units
            .iter()
            .find(|unit| unit.span.start == word.start)
            .map(|unit| unit.region);
        let is_gap =
            |unit: &&Unit| Some(unit.region) == region && unit.character.is_ascii_whitespace();
        let before = self
            .units
            .iter()
            .rev()
            .skip_while(|unit| unit.span.start >= word.start);
        if let Some(first) = before.take_while(is_gap).last() {
            return first.span.start..word.end;
        }
        let behind = self
            .units
            .iter()
            .skip_while(|unit| unit.span.start < word.end);
        let last = behind.take_while(is_gap).last();
        word.start..last.map_or(word.end, |unit| unit.span.end)
    }

    /// Adds a plain word at the end, inside the quotes that are there.
    pub(super) fn append(&self, source: &mut Source, word: &str) {
        let needs_gap = self
            .units
            .last()
            .is_some_and(|unit| !unit.character.is_ascii_whitespace());
        let gap = if needs_gap { " " } else { "" };
        let end = self.span.end;
        let closed = self
            .raw
            .chars()
            .last()
            .filter(|last| matches!(last, '"' | '\''));
        // An escaped quote at the end closes nothing.
        let closing = closed.filter(|_| self.units.last().is_none_or(|unit| unit.span.end < end));
        if closing.is_some() {
            source.replace(end - 1..end - 1, &format!("{gap}{word}"));
        } else if self
            .units
            .iter()
            .all(|unit| unit.quote.is_none() && unit.span.len() == unit.character.len_utf8())
            && !self.raw.contains('\\')
        {
            source.replace(end..end, &format!("{gap}{word}\""));
            source.replace(self.span.start..self.span.start, "\"");
        } else {
            source.replace(end..end, &format!("\"{gap}{word}\""));
        }
    }
}

/// Takes quotes and backslashes away (POSIX.1-2017, Shell Command Language, 2.2). The lexer has found where the
/// value ends, so every quote is closed.
fn units(raw: &str, base: usize) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut characters = raw.char_indices().peekable();
    let mut quote = None;
    let mut region = 0;
    while let Some((at, character)) = characters.next() {
        let mut end = at + character.len_utf8();
        let mut meant = character;
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                region += 1;
                continue;
            }
            (Some(open), close) if open == close => {
                quote = None;
                region += 1;
                continue;
            }
            (Some('\''), _) => {}
            (_, '\\') => match characters.peek().copied() {
                Some((_, '\n')) => {
                    characters.next();
                    continue;
                }
                Some((next, escaped)) if quote.is_none() || "$`\"\\".contains(escaped) => {
                    characters.next();
                    end = next + escaped.len_utf8();
                    meant = escaped;
                }
                _ => {}
            },
            (_, '$') => {
                let rest = raw.get(end..).unwrap_or_default();
                let length = expansion(rest);
                if length > 0 {
                    meant = EXPANSION;
                    end += length;
                    while characters.next_if(|(next, _)| *next < end).is_some() {}
                }
            }
            _ => {}
        }
        units.push(Unit {
            character: meant,
            span: base + at..base + end,
            region,
            quote,
        });
    }
    units
}

/// How long the name behind a `$` is, with its braces.
fn expansion(rest: &str) -> usize {
    if rest.starts_with('{') {
        return rest.find('}').map_or(0, |end| end + 1);
    }
    let name = rest
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    name.count()
}
