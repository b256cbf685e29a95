use std::borrow::Cow;

/// Narrower than this no report can be read; a smaller width is taken as this one.
const NARROWEST: usize = 40;
/// Where a text goes on when what stands before it takes more than half of the line.
const DEEP_INDENT: usize = 4;

/// Lines of plain ASCII that fit a width. Every text that comes in is from firmware, disks or
/// pci.ids, so each is made harmless here and nowhere else: no control character reaches a terminal.
pub(crate) struct Page {
    width: usize,
    text: String,
    /// Where the line begins that is being written.
    line: usize,
}

impl Page {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width: width.max(NARROWEST),
            text: String::new(),
            line: 0,
        }
    }

    /// An empty line, but never two, and never at the top.
    pub(crate) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.end_line();
        }
    }

    /// A heading with a gap above it.
    pub(crate) fn title(&mut self, text: &str) {
        self.gap();
        self.paragraph("", text);
    }

    /// `before`, and behind it the text, each further line of it indented to where it began.
    pub(crate) fn paragraph(&mut self, before: &str, text: &str) {
        self.indented(before, text, before.chars().count());
    }

    /// `before`, and behind it the text, each further line of it indented by `indent`.
    pub(crate) fn indented(&mut self, before: &str, text: &str, indent: usize) {
        let indent = if indent > self.width / 2 {
            DEEP_INDENT
        } else {
            indent
        };
        self.text.push_str(&ascii(before));
        let mut fresh = true;
        for word in ascii(text).split_ascii_whitespace() {
            let mut word = word;
            loop {
                let length = self.text.len() - self.line;
                let space = usize::from(!fresh);
                if length + space + word.len() <= self.width {
                    self.text.push_str(if fresh { "" } else { " " });
                    self.text.push_str(word);
                    fresh = false;
                    break;
                }
                if fresh {
                    let room = self.width.saturating_sub(length);
                    let (head, rest) = word.split_at_checked(room).unwrap_or((word, ""));
                    self.text.push_str(head);
                    word = rest;
                }
                self.end_line();
                self.text.extend(std::iter::repeat_n(' ', indent));
                fresh = true;
            }
        }
        self.end_line();
    }

    /// Cuts the line to the width, takes spaces from its end, and begins the next one.
    fn end_line(&mut self) {
        self.text
            .truncate(self.text.len().min(self.line + self.width));
        let line = self.text.get(self.line..).unwrap_or_default();
        let length = line.trim_end_matches(' ').len();
        self.text.truncate(self.line + length);
        self.text.push('\n');
        self.line = self.text.len();
    }

    /// The lines, each with a newline.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// What DMI and pci.ids like to have that a VT font or a serial line does not show.
const REPLACEMENTS: [(char, &str); 12] = [
    ('\u{ae}', "(R)"),
    ('\u{2122}', "(TM)"),
    ('\u{a9}', "(C)"),
    ('\u{b0}', "deg"),
    ('\u{b5}', "u"),
    ('\u{a0}', " "),
    ('\u{2013}', "-"),
    ('\u{2014}', "-"),
    ('\u{2018}', "'"),
    ('\u{2019}', "'"),
    ('\u{201c}', "\""),
    ('\u{201d}', "\""),
];

/// The text in printable ASCII: line ends and tabs become spaces, all else that is not printable a
/// question mark.
pub(crate) fn ascii(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character == ' ' || character.is_ascii_graphic() {
            plain.push(character);
        } else if character.is_ascii_whitespace() {
            plain.push(' ');
        } else {
            let known = REPLACEMENTS.iter().find(|(odd, _)| *odd == character);
            plain.push_str(known.map_or("?", |(_, replacement)| *replacement));
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(before: &str, text: &str) -> String {
        let mut page = Page::new(40);
        page.paragraph(before, text);
        page.finish()
    }

    #[test]
    fn a_long_text_goes_on_below_where_it_began() {
        assert_eq!(
            page("  board  ", "a board whose maker could not stop naming it"),
            "  board  a board whose maker could not\n         stop naming it\n"
        );
    }

    #[test]
    fn a_word_longer_than_the_line_is_cut() {
        let text = page("  ", &"x".repeat(100));
        assert!(text.lines().all(|line| line.len() <= 40));
        assert_eq!(text.matches('x').count(), 100);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_a_question_mark() {
        assert_eq!(
            page("", "Ge\u{1b}[31mForce\u{ae} \u{4e2d}\n2"),
            "Ge?[31mForce(R) ? 2\n"
        );
    }
}
