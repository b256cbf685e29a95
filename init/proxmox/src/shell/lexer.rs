use super::{Assignment, Assignments, Piece};

/// Words that open and close what is only run under a condition.
const OPENERS: [&str; 6] = ["if", "for", "while", "until", "case", "{"];
const CLOSERS: [&str; 4] = ["fi", "done", "esac", "}"];

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    depth: usize,
    found: Assignments,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            depth: 0,
            found: Assignments::default(),
        }
    }

    pub(super) fn run(mut self) -> Assignments {
        while self.peek().is_some() {
            self.command();
        }
        self.found
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        self.line += usize::from(character == '\n');
        Some(character)
    }

    /// One command up to its newline, `;`, `&` or `|`.
    fn command(&mut self) {
        let line = self.line;
        let first = self.found.assignments.len();
        let mut other = false;
        loop {
            match self.peek() {
                None => break,
                Some('\n' | ';' | '&' | '|') => {
                    self.next();
                    break;
                }
                Some(' ' | '\t' | '\r' | '(' | ')' | '<' | '>') => {
                    self.next();
                }
                Some('#') => self.comment(),
                Some(_) => {
                    if other || !self.assignment() {
                        let word = self.word();
                        other |= self.keyword(&word, line);
                    }
                }
            }
        }
        if other {
            // `A=1 command` sets A for that command alone.
            for assignment in self.found.assignments.iter_mut().skip(first) {
                assignment.conditional = true;
            }
        }
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|character| character != '\n') {
            self.next();
        }
    }

    /// Takes note of a word that is no assignment. Says whether it is a command that takes the rest.
    fn keyword(&mut self, word: &str, line: usize) -> bool {
        if OPENERS.contains(&word) {
            self.depth += 1;
        } else if CLOSERS.contains(&word) {
            self.depth = self.depth.saturating_sub(1);
        } else if matches!(word, "then" | "else" | "do" | "export" | "readonly") {
            return false;
        }
        if self.found.other_lines.last() != Some(&line) {
            self.found.other_lines.push(line);
        }
        !matches!(word, "{" | "}")
    }

    fn assignment(&mut self) -> bool {
        let rest = self.rest();
        let name_length = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let (name, behind) = rest.split_at(name_length);
        let begins_right = name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit());
        if !begins_right || !behind.starts_with('=') {
            return false;
        }
        self.at += name_length + 1;
        let (start, line) = (self.at, self.line);
        let pieces = self.value();
        self.found.assignments.push(Assignment {
            name: name.to_owned(),
            line,
            span: start..self.at,
            pieces,
            conditional: self.depth > 0,
        });
        true
    }

    /// A word of something else; its text is only compared with keywords.
    fn word(&mut self) -> String {
        let start = self.at;
        self.value();
        if self.at == start {
            self.next();
        }
        self.text.get(start..self.at).unwrap_or_default().to_owned()
    }

    fn value(&mut self) -> Vec<Piece> {
        let mut pieces = Pieces::default();
        while let Some(character) = self.peek() {
            match character {
                '\'' => self.single(&mut pieces),
                '"' => self.double(&mut pieces),
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') | None => {}
                        Some(escaped) => pieces.literal(escaped),
                    }
                }
                '$' | '`' => self.expansion(&mut pieces),
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                other => {
                    pieces.literal(other);
                    self.next();
                }
            }
        }
        pieces.0
    }

    fn single(&mut self, pieces: &mut Pieces) {
        let line = self.line;
        self.next();
        pieces.begin();
        while let Some(character) = self.next() {
            if character == '\'' {
                return;
            }
            pieces.literal(character);
        }
        self.found.open_quote.get_or_insert(line);
    }

    fn double(&mut self, pieces: &mut Pieces) {
        let line = self.line;
        self.next();
        pieces.begin();
        while let Some(character) = self.peek() {
            match character {
                '"' => {
                    self.next();
                    return;
                }
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') | None => {}
                        Some(escaped @ ('$' | '`' | '"' | '\\')) => pieces.literal(escaped),
                        Some(other) => {
                            pieces.literal('\\');
                            pieces.literal(other);
                        }
                    }
                }
                '$' | '`' => self.expansion(pieces),
                other => {
                    pieces.literal(other);
                    self.next();
                }
            }
        }
        self.found.open_quote.get_or_insert(line);
    }

    fn expansion(&mut self, pieces: &mut Pieces) {
        let start = self.at;
        let backtick = self.next() == Some('`');
        let variable = match self.peek() {
            _ if backtick => {
                self.until('`');
                None
            }
            Some('{') => {
                self.next();
                self.until('}');
                let inner = self.text.get(start + 2..self.at.saturating_sub(1));
                inner.filter(|name| is_name(name)).map(str::to_owned)
            }
            Some('(') => {
                self.parentheses();
                None
            }
            _ => {
                let length = self
                    .rest()
                    .bytes()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
                    .count();
                self.at += length;
                let name = self.text.get(start + 1..self.at).unwrap_or_default();
                if name.is_empty() {
                    pieces.literal('$');
                    return;
                }
                Some(name.to_owned())
            }
        };
        let text = self.text.get(start..self.at).unwrap_or_default().to_owned();
        pieces
            .0
            .push(variable.map_or(Piece::Dynamic(text), Piece::Variable));
    }

    fn until(&mut self, end: char) {
        let line = self.line;
        while let Some(character) = self.next() {
            if character == end {
                return;
            }
        }
        self.found.open_quote.get_or_insert(line);
    }

    fn parentheses(&mut self) {
        let line = self.line;
        let mut depth = 0_usize;
        while let Some(character) = self.next() {
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
        self.found.open_quote.get_or_insert(line);
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    /// A quoted empty text is a value too.
    fn begin(&mut self) {
        if self.0.is_empty() {
            self.0.push(Piece::Literal(String::new()));
        }
    }

    fn literal(&mut self, character: char) {
        if let Some(Piece::Literal(text)) = self.0.last_mut() {
            text.push(character);
        } else {
            self.0.push(Piece::Literal(character.into()));
        }
    }
}
