use std::ops::Range;

use super::EditError;

/// A file's bytes as text that any bytes can be: each byte is the character of its number (ISO 8859-1). What
/// the editors look for is ASCII, so bytes of other encodings pass through unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source(String);

/// One line of a [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: usize,
    /// Where it begins.
    pub start: usize,
    /// The line without its newline.
    pub text: &'a str,
}

impl Line<'_> {
    /// Where its text is in the source.
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

impl Source {
    /// Takes any bytes.
    pub fn parse(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| char::from(*byte)).collect())
    }

    /// Exactly the bytes again, but for what was replaced.
    pub fn print(&self) -> Vec<u8> {
        let bytes = self.0.chars().map(u8::try_from);
        bytes.map(|byte| byte.unwrap_or(b'?')).collect()
    }

    /// Offsets in it are those that the other methods take.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Its lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut start = 0;
        self.0
            .split_inclusive('\n')
            .zip(1..)
            .map(move |(whole, number)| {
                let line = Line {
                    number,
                    start,
                    text: whole.strip_suffix('\n').unwrap_or(whole),
                };
                start += whole.len();
                line
            })
    }

    /// Puts a text in the place of another. A span that is not in the source changes nothing.
    pub fn replace(&mut self, span: Range<usize>, text: &str) {
        if self.0.get(span.clone()).is_some() {
            let text: String = text.bytes().map(char::from).collect();
            self.0.replace_range(span, &text);
        }
    }

    /// Takes a whole line away, with its newline.
    pub fn remove_line(&mut self, start: usize) {
        let length = self
            .0
            .get(start..)
            .and_then(|rest| rest.split_inclusive('\n').next());
        if let Some(length) = length.map(str::len) {
            self.replace(start..start + length, "");
        }
    }

    /// Puts whole lines before the place where a line begins, or at the end. A last line without a newline
    /// gets one.
    pub fn insert_line(&mut self, at: usize, line: &str) {
        let needs_newline = at > 0
            && !self
                .0
                .get(..at)
                .is_some_and(|before| before.ends_with('\n'));
        let text = if needs_newline {
            format!("\n{line}\n")
        } else {
            format!("{line}\n")
        };
        self.replace(at..at, &text);
    }

    /// Adds a line at the end.
    pub fn append_line(&mut self, line: &str) {
        self.insert_line(self.0.len(), line);
    }

    /// Refuses what no configuration file of Linux has.
    ///
    /// # Errors
    /// Zero bytes, and lines that end in a carriage return.
    pub fn check(&self) -> Result<(), EditError> {
        for line in self.lines() {
            if line.text.contains('\0') {
                return Err(EditError::ZeroBytes(line.number));
            }
            if line.text.contains('\r') {
                return Err(EditError::CarriageReturn(line.number));
            }
        }
        Ok(())
    }
}

/// Words between white space, each with where it begins in the text.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = text.split_ascii_whitespace();
    words.map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Whether a text is one word that needs no quotes in any of the files.
pub(super) fn plain(text: &str) -> Result<(), EditError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,:;=/@+-".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(EditError::Word(text.to_owned()))
    }
}

/// Modules have the same name with `-` and with `_`.
pub(super) fn same(one: &str, other: &str) -> bool {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte };
    one.bytes().map(fold).eq(other.bytes().map(fold))
}
