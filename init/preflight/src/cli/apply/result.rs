//! What came out of an apply: whether it is as planned, and what is said of it.

use std::process::ExitCode;

use anyhow::{Context, Result};
use apply::Receipt;
use plan::{Found, Mismatch, Plan, UNVERIFIED, text_diff};

use super::document::End;
use super::words::described;
use super::{Done, Run};
use crate::apply::Rehearsed;
use crate::cli::plan::on_the_disks;
use crate::systems::OneSystem;

impl Run<'_> {
    /// Says what is not as planned, and gives why that stands in the way. What cannot be verified does not when that
    /// was accepted.
    pub(super) fn objection(&self, wrong: &[Mismatch]) -> Option<&'static str> {
        let is_accepted = self.arguments.wish.accepts(UNVERIFIED);
        let (said, why) = judged(wrong, is_accepted);
        match why {
            Some(_) => self.say(&said),
            // Who is asked next may want to read it again.
            None if !said.is_empty() => self.present(&said),
            None => {}
        }
        why
    }

    pub(super) fn read_again(
        &self,
        plan: &Plan,
        rehearsed: &Rehearsed,
        receipt: Option<&Receipt>,
    ) -> Result<Done> {
        self.say("Reading everything again from the disks");
        let id = &rehearsed.set.id;
        let end = |wrong| End {
            receipt,
            wrong,
            ..End::of(rehearsed)
        };
        match self.verified(plan) {
            Ok((again, wrong)) => {
                self.finish(plan, id, &end(&wrong))?;
                self.conclude(&again, &wrong, receipt)
            }
            Err(error) => {
                // It is written all the same, and its receipt is wanted all the more.
                self.keep(plan, id, &end(&[not_read_again(&error)]))
                    .with_context(|| format!("{error:#}"))?;
                Err(error)
            }
        }
    }

    /// The system as it is now, and what of it is not as planned.
    fn verified(&self, plan: &Plan) -> Result<(OneSystem, Vec<Mismatch>)> {
        let again = on_the_disks(self.arguments.root)?;
        let wrong = plan::verify(plan, again.installation()?, &again.files);
        Ok((again, wrong))
    }

    fn conclude(
        &self,
        system: &OneSystem,
        wrong: &[Mismatch],
        receipt: Option<&Receipt>,
    ) -> Result<Done> {
        let name = receipt.map_or("", |receipt| receipt.set.id.as_str());
        if let Some(why) = self.objection(wrong) {
            self.say(&format!(
                "It is written, and {why}. '{}' takes it back.",
                self.way_back(name)
            ));
            return Ok(Done::Ended(ExitCode::from(1)));
        }
        for (method, next) in system.installation()?.next_boots() {
            self.say(&format!(
                "The next start ({method}): {}",
                next.titles.join(" > ")
            ));
            self.say(&format!("  {}", next.command_line));
        }
        let what = match wrong.is_empty() {
            true => "it is as planned",
            false => "what can be read is as planned",
        };
        self.say(&format!(
            "Done, and read again: {what}. To take it back: {}",
            self.way_back(name)
        ));
        Ok(Done::Ended(ExitCode::SUCCESS))
    }

    pub(super) fn way_back(&self, receipt: &str) -> String {
        format!(
            "preflight undo --root {} --receipt {receipt} --yes",
            self.arguments.root
        )
    }

    pub(super) fn show(&self, rehearsed: &Rehearsed) {
        let mut text = String::from("What came out on the overlays, and would be written:\n");
        for file in rehearsed.set.files.iter().filter(|file| !file.is_same()) {
            text.push_str(&format!("  {}\n", described(file)));
        }
        for menu in &rehearsed.menus {
            let name = format!("{} on {}", menu.path, menu.place);
            text.push_str(&text_diff(&menu.before, &menu.after, &name));
        }
        for other in &rehearsed.other {
            text.push_str(&format!(
                "  {other} changed too, and is not written: it is no plain file\n"
            ));
        }
        self.present(&text);
    }
}

/// That nothing is known of what was written.
fn not_read_again(error: &anyhow::Error) -> Mismatch {
    Mismatch {
        place: "the disks".to_owned(),
        wanted: "everything as planned".to_owned(),
        found: Found::NotVerified(format!("they could not be read again: {error:#}")),
    }
}

/// What is not as planned, in words, and why that stands in the way.
fn judged(wrong: &[Mismatch], is_accepted: bool) -> (String, Option<&'static str>) {
    let lines = wrong.iter().map(|mismatch| {
        let how = match (mismatch.is_unverified(), is_accepted) {
            (true, true) => "Not verified, as accepted",
            (true, false) => "Not verified",
            (false, _) => "Not as planned",
        };
        format!("{how}: {mismatch}")
    });
    let lines: Vec<String> = lines.collect();
    let why = if wrong.iter().any(|mismatch| !mismatch.is_unverified()) {
        Some("it is not as planned, see above")
    } else if !wrong.is_empty() && !is_accepted {
        Some(
            "what cannot be read cannot be verified, see above (--accept unverified takes it as said)",
        )
    } else {
        None
    };
    (lines.join("\n"), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(wrong: &[Mismatch], is_accepted: bool) -> (String, bool) {
        let (said, why) = judged(wrong, is_accepted);
        (said, why.is_some())
    }

    #[test]
    fn what_differs_stands_in_the_way_and_what_cannot_be_read_until_that_is_accepted() {
        let mismatch = |found: Found| Mismatch {
            place: "ESP A".to_owned(),
            wanted: "an entry".to_owned(),
            found,
        };
        let unread = mismatch(Found::NotVerified("it is not there".to_owned()));
        let other = mismatch(Found::Other("none".to_owned()));
        assert_eq!(words(&[], false), (String::new(), false));
        let one = std::slice::from_ref(&unread);
        let (said, stands) = words(one, false);
        assert!(said.starts_with("Not verified: ESP A") && stands, "{said}");
        let (said, stands) = words(one, true);
        assert!(said.starts_with("Not verified, as accepted: ESP A") && !stands);
        let (said, stands) = words(&[unread, other], true);
        assert!(said.contains("\nNot as planned: ESP A") && stands, "{said}");
    }

    #[test]
    fn what_could_not_be_read_again_is_never_taken_for_right() {
        let wrong = [not_read_again(&anyhow::anyhow!("a disk is gone"))];
        let (said, stands) = words(&wrong, false);
        assert!(stands);
        assert!(said.contains("read again: a disk is gone"), "{said}");
    }
}
