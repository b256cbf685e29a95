//! What came out of an apply: whether it is as planned, and what is said of it.

use std::process::ExitCode;

use anyhow::Result;
use apply::Receipt;
use plan::{Mismatch, Plan, UNVERIFIED, text_diff};

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
        for mismatch in wrong {
            let how = match (mismatch.is_unverified(), is_accepted) {
                (true, true) => "Not verified, as accepted",
                (true, false) => "Not verified",
                (false, _) => "Not as planned",
            };
            self.say(&format!("{how}: {mismatch}"));
        }
        if wrong.iter().any(|mismatch| !mismatch.is_unverified()) {
            return Some("it is not as planned, see above");
        }
        let is_unknown = !wrong.is_empty() && !is_accepted;
        is_unknown.then_some(
            "what cannot be read cannot be verified, see above (--accept unverified takes it as said)",
        )
    }

    pub(super) fn read_again(
        &self,
        plan: &Plan,
        rehearsed: &Rehearsed,
        receipt: Option<&Receipt>,
    ) -> Result<Done> {
        self.say("Reading everything again from the disks");
        let again = on_the_disks(self.arguments.root)?;
        let wrong = plan::verify(plan, again.installation()?, &again.files);
        self.finish(plan, rehearsed, receipt, &wrong)?;
        self.conclude(&again, &wrong, receipt)
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
