//! What is left of an apply for programs, and on the stick.

use anyhow::Result;
use apply::{ChangeSet, Receipt, ReceiptId};
use plan::{Mismatch, Plan, Tree};
use rehearse::Told;
use serde::Serialize;

use super::{Format, Run};
use crate::apply::{Rehearsed, bytes};
use crate::cli::assess::write_out;
use crate::session::save::{self, NewFile};

/// What an apply did, as `--format json` prints it and as it is saved on the stick.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    plan: &'a Plan,
    told: &'a [Told],
    /// What would be written or was; none where it did not come to a rehearsal.
    changes: Option<&'a ChangeSet>,
    receipt: Option<&'a Receipt>,
    /// What is not as planned, of the rehearsal or, once written, of what was read again.
    wrong: &'a [Mismatch],
}

const SCHEMA: &str = "preflight.apply/1";

impl Run<'_> {
    /// Prints the document, where it is wanted, and saves it on the stick with what the plan has for there.
    pub(super) fn finish(
        &self,
        plan: &Plan,
        rehearsed: &Rehearsed,
        receipt: Option<&Receipt>,
        wrong: &[Mismatch],
    ) -> Result<()> {
        let json = self.print_document(plan, Some(rehearsed), receipt, wrong)?;
        let mut files = vec![("apply.json".to_owned(), json.into_bytes())];
        for change in plan
            .changes
            .iter()
            .filter(|change| change.tree == Tree::Stick)
        {
            files.push((change.path.clone(), bytes(&change.after)?));
        }
        self.save(&rehearsed.set.id, files);
        Ok(())
    }

    /// Prints what was done, or why nothing was, where a document is wanted. Gives it back.
    pub(super) fn print_document(
        &self,
        plan: &Plan,
        rehearsed: Option<&Rehearsed>,
        receipt: Option<&Receipt>,
        wrong: &[Mismatch],
    ) -> Result<String> {
        let json = serde_json::to_string_pretty(&Document {
            schema: SCHEMA,
            plan,
            told: rehearsed.map_or(&[], |rehearsed| &rehearsed.told),
            changes: rehearsed.map(|rehearsed| &rehearsed.set),
            receipt,
            wrong,
        })?;
        if self.arguments.format == Format::Json {
            write_out(&json)?;
        }
        Ok(json)
    }

    /// Into a folder of its own on the stick.
    pub(super) fn save(&self, id: &ReceiptId, files: Vec<NewFile>) {
        match save::save_as(&self.data, &format!("apply-{id}"), &files) {
            Ok(saved) => self.say(&format!("Saved on the stick in {}", saved.folder)),
            Err(error) => self.say(&format!("Not saved on the stick: {error:#}")),
        }
    }
}
