/// As deep as blocks may lie in each other; a file from a disk must not exhaust the stack.
const DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Command {
        words: Vec<Word>,
        line: usize,
    },
    If(Vec<Branch>),
    Menu {
        submenu: bool,
        words: Vec<Word>,
        body: Vec<Statement>,
        line: usize,
    },
}

/// `if` and each `elif` have a condition; `else` has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) condition: Option<Vec<Statement>>,
    pub(super) body: Vec<Statement>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
    pub(super) quoted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Variable(String),
}

impl Word {
    /// Its text, when it is written out and not quoted: only then can it be a keyword.
    fn bare(&self) -> &str {
        match self.parts.as_slice() {
            [Part::Text(text)] if !self.quoted => text,
            _ => "",
        }
    }
}

enum Token {
    Word(Word),
    End,
}

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let tokens = tokens(text);
    Parser { tokens, at: 0 }.block(&[], 0)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
}

impl Parser {
    fn word(&self) -> Option<&Word> {
        match self.tokens.get(self.at) {
            Some((Token::Word(word), _)) => Some(word),
            _ => None,
        }
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |(_, line)| *line)
    }

    /// Statements up to a word of `stops`, which is left to the caller.
    fn block(&mut self, stops: &[&str], depth: usize) -> Vec<Statement> {
        let mut statements = Vec::new();
        while self.at < self.tokens.len() {
            let Some(word) = self.word() else {
                self.at += 1;
                continue;
            };
            let keyword = word.bare().to_owned();
            if stops.contains(&keyword.as_str()) {
                break;
            }
            let line = self.line();
            match keyword.as_str() {
                "if" if depth < DEPTH => {
                    self.at += 1;
                    statements.push(Statement::If(self.branches(depth)));
                }
                "menuentry" | "submenu" if depth < DEPTH => {
                    self.at += 1;
                    let words = self.words(true);
                    let body = self.braced(depth);
                    let submenu = keyword == "submenu";
                    statements.push(Statement::Menu {
                        submenu,
                        words,
                        body,
                        line,
                    });
                }
                "function" if depth < DEPTH => {
                    self.at += 1;
                    self.words(true);
                    self.braced(depth);
                }
                _ => {
                    let words = self.words(false);
                    if words.is_empty() {
                        self.at += 1;
                    } else {
                        statements.push(Statement::Command { words, line });
                    }
                }
            }
        }
        statements
    }

    fn branches(&mut self, depth: usize) -> Vec<Branch> {
        let mut branches = Vec::new();
        let mut conditional = true;
        loop {
            let condition = conditional.then(|| {
                let condition = self.block(&["then", "fi"], depth + 1);
                self.at += usize::from(self.word().is_some_and(|word| word.bare() == "then"));
                condition
            });
            let body = self.block(&["elif", "else", "fi"], depth + 1);
            branches.push(Branch { condition, body });
            let end = self.word().map(|word| word.bare().to_owned());
            self.at += 1;
            match end.as_deref() {
                Some("elif") => conditional = true,
                Some("else") => conditional = false,
                _ => return branches,
            }
        }
    }

    fn braced(&mut self, depth: usize) -> Vec<Statement> {
        if self.word().is_some_and(|word| word.bare() == "{") {
            self.at += 1;
            let body = self.block(&["}"], depth + 1);
            self.at += 1;
            return body;
        }
        Vec::new()
    }

    /// The words of one command; of a menu entry only those before its block.
    fn words(&mut self, before_block: bool) -> Vec<Word> {
        let mut words = Vec::new();
        while let Some(word) = self.word() {
            if before_block && word.bare() == "{" {
                break;
            }
            words.push(word.clone());
            self.at += 1;
        }
        words
    }
}

fn tokens(text: &str) -> Vec<(Token, usize)> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    let mut line = 1;
    while let Some(&character) = characters.peek() {
        match character {
            '\n' | ';' | '&' | '|' => {
                characters.next();
                tokens.push((Token::End, line));
                line += usize::from(character == '\n');
            }
            ' ' | '\t' | '\r' => {
                characters.next();
            }
            '#' => while characters.next_if(|character| *character != '\n').is_some() {},
            '\\' if characters.clone().nth(1) == Some('\n') => {
                characters.nth(1);
                line += 1;
            }
            _ => {
                let start = line;
                let word = word(&mut characters, &mut line);
                tokens.push((Token::Word(word), start));
            }
        }
    }
    tokens
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn word(characters: &mut Characters, line: &mut usize) -> Word {
    let mut word = Word::default();
    while let Some(&character) = characters.peek() {
        if matches!(character, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|') {
            break;
        }
        characters.next();
        match character {
            '\\' => match characters.next() {
                Some('\n') => *line += 1,
                Some(escaped) => word.push(escaped),
                None => {}
            },
            '\'' | '"' => {
                word.quoted = true;
                quoted(characters, character, &mut word, line);
            }
            '$' => variable(characters, &mut word),
            other => word.push(other),
        }
    }
    word
}

fn quoted(characters: &mut Characters, end: char, word: &mut Word, line: &mut usize) {
    while let Some(character) = characters.next() {
        *line += usize::from(character == '\n');
        match character {
            _ if character == end => return,
            '\\' if end == '"' => match characters.peek() {
                Some(&escaped @ ('"' | '$' | '\\')) => {
                    characters.next();
                    word.push(escaped);
                }
                _ => word.push('\\'),
            },
            '$' if end == '"' => variable(characters, word),
            other => word.push(other),
        }
    }
}

fn variable(characters: &mut Characters, word: &mut Word) {
    let braced = characters.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(character) = characters.next_if(|character| {
        character.is_ascii_alphanumeric() || *character == '_' || *character == '?'
    }) {
        name.push(character);
    }
    if braced {
        characters.next_if_eq(&'}');
    }
    if name.is_empty() {
        word.push('$');
    } else {
        word.parts.push(Part::Variable(name));
    }
}

impl Word {
    fn push(&mut self, character: char) {
        if let Some(Part::Text(text)) = self.parts.last_mut() {
            text.push(character);
        } else {
            self.parts.push(Part::Text(character.into()));
        }
    }
}
