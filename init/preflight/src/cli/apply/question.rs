//! What a person is asked, and what they read before.

use std::io::IsTerminal;

use anyhow::Result;

use super::Run;
use super::words::{asked, printable};
use crate::pages::{turn, wrapped};

impl Run<'_> {
    /// Whether somebody sits there.
    pub(super) fn can_ask(&self) -> bool {
        !self.arguments.yes && std::io::stdin().is_terminal()
    }

    /// Prints what a question will be about.
    pub(super) fn present(&self, text: &str) {
        self.print(text);
        let mut presented = self.presented.borrow_mut();
        presented.push_str(text.trim_end());
        presented.push_str("\n\n");
    }

    /// Whether it may be done: somebody said so beforehand, or does now.
    pub(super) fn may_write(&self, question: &str) -> Result<bool> {
        if self.arguments.yes {
            return Ok(true);
        }
        if !self.can_ask() {
            let answer = asked(&format!("{question} Type yes: "))?;
            return Ok(answer.is_some_and(|answer| answer.trim() == "yes"));
        }
        let words = format!(
            "\n{question}\n  yes    do it\n  show   read the plan and what came out again, page by page\n  no     leave \
             everything as it is\nYour answer: "
        );
        loop {
            match asked(&words)?.as_deref().map(str::trim) {
                Some("yes") => return Ok(true),
                Some("show") => self.turn_pages()?,
                None | Some("no") => return Ok(false),
                Some(_) => {}
            }
        }
    }

    fn turn_pages(&self) -> Result<()> {
        let text = wrapped(&printable(&self.presented.borrow()));
        turn(&text, "Enter", |page, question| {
            eprint!("{page}");
            let Some(question) = question else {
                return Ok(false);
            };
            let answer = asked(question)?;
            Ok(answer.is_some_and(|answer| !matches!(answer.trim(), "q" | "Q")))
        })
    }
}
