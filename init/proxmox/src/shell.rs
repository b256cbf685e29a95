//! Files of shell assignments, such as /etc/default/grub, read without a shell (POSIX.1-2017, Shell Command
//! Language, 2.2 and 2.9.1). Every value keeps its byte range, so that an edit can change its bytes alone.

mod lexer;

use std::collections::BTreeMap;
use std::ops::Range;

use lexer::Lexer;

/// One `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// The line that it begins on, counted from 1.
    pub line: usize,
    /// The bytes of the value in the text, with its quotes.
    pub span: Range<usize>,
    /// What the value is made of.
    pub pieces: Vec<Piece>,
    /// It stands inside `if`, a loop or a function, or before a command: whether it holds is not known.
    pub conditional: bool,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These characters, quotes and backslashes already taken away.
    Literal(String),
    /// `$NAME` or `${NAME}`.
    Variable(String),
    /// What only a shell can say: backticks, `$(...)`, `${NAME:-...}`.
    Dynamic(String),
}

/// A value as far as it can be said without a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// The text, with what only a shell can say left as it stands.
    pub text: String,
    /// Whether that is all of it.
    pub certain: bool,
}

/// All assignments of a text, in order, and the lines that are something else: a test, `. file`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    /// In order.
    pub assignments: Vec<Assignment>,
    /// Lines with other commands, counted from 1.
    pub other_lines: Vec<usize>,
    /// The line of a quote that is never closed: the file is cut off or broken, and a shell refuses it.
    pub open_quote: Option<usize>,
}

impl Assignments {
    /// Reads a text. Never fails: what is not understood is in `other_lines`.
    pub fn parse(text: &str) -> Self {
        Lexer::new(text).run()
    }

    /// Runs the assignments over variables that earlier files have set.
    pub fn evaluate(&self, variables: &mut BTreeMap<String, Value>) {
        for assignment in &self.assignments {
            let value = assignment.evaluate(variables);
            variables.insert(assignment.name.clone(), value);
        }
    }
}

impl Assignment {
    /// The value, given those of other variables. One that was never set is empty, as in a shell.
    pub fn evaluate(&self, variables: &BTreeMap<String, Value>) -> Value {
        let mut value = Value {
            text: String::new(),
            certain: !self.conditional,
        };
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => value.text.push_str(text),
                Piece::Variable(name) => {
                    if let Some(known) = variables.get(name) {
                        value.text.push_str(&known.text);
                        value.certain &= known.certain;
                    }
                }
                Piece::Dynamic(text) => {
                    value.text.push_str(text);
                    value.certain = false;
                }
            }
            value.text.truncate(value.text.floor_char_boundary(LONGEST));
        }
        value
    }
}

/// No value grows beyond this: `A="$A$A"`, forty times over, would fill the memory.
const LONGEST: usize = 64 << 10;

#[cfg(test)]
mod tests;
