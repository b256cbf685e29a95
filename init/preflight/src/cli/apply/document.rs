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
    #[serde(flatten)]
    end: &'a End<'a>,
}

/// How far it came.
#[derive(Default, Serialize)]
pub(super) struct End<'a> {
    /// What the system's own tools did.
    pub(super) told: &'a [Told],
    /// What would be written or was; none where it did not come to a rehearsal.
    pub(super) changes: Option<&'a ChangeSet>,
    pub(super) receipt: Option<&'a Receipt>,
    /// What is not as planned, of the rehearsal or, once written, of what was read again.
    pub(super) wrong: &'a [Mismatch],
}

impl<'a> End<'a> {
    /// At the rehearsal.
    pub(super) fn of(rehearsed: &'a Rehearsed) -> Self {
        Self {
            told: &rehearsed.told,
            changes: Some(&rehearsed.set),
            receipt: None,
            wrong: &rehearsed.wrong,
        }
    }
}

const SCHEMA: &str = "preflight.apply/1";

impl Run<'_> {
    /// Prints the document, where it is wanted, and saves it on the stick.
    pub(super) fn finish(&self, plan: &Plan, id: &ReceiptId, end: &End) -> Result<()> {
        self.print_document(plan, end)?;
        self.keep(plan, id, end)
    }

    /// Saves the document on the stick with what the plan has for there.
    pub(super) fn keep(&self, plan: &Plan, id: &ReceiptId, end: &End) -> Result<()> {
        let json = document(plan, end)?;
        let mut files = vec![("apply.json".to_owned(), json.into_bytes())];
        for change in plan
            .changes
            .iter()
            .filter(|change| change.tree == Tree::Stick)
        {
            files.push((change.path.clone(), bytes(&change.after)?));
        }
        self.save(id, files);
        Ok(())
    }

    /// Prints what was done, or why nothing was, where a document is wanted.
    pub(super) fn print_document(&self, plan: &Plan, end: &End) -> Result<()> {
        if self.arguments.format == Format::Json {
            write_out(&document(plan, end)?)?;
        }
        Ok(())
    }

    /// Into a folder of its own on the stick.
    pub(super) fn save(&self, id: &ReceiptId, files: Vec<NewFile>) {
        match save::save_as(&self.data, &format!("apply-{id}"), &files) {
            Ok(saved) => {
                self.say(&format!("Saved on the stick in {}", saved.folder));
                saved.left.iter().for_each(|left| self.say(left));
            }
            Err(error) => self.say(&format!("Not saved on the stick: {error:#}")),
        }
    }
}

fn document(plan: &Plan, end: &End) -> Result<String> {
    Ok(serde_json::to_string_pretty(&Document {
        schema: SCHEMA,
        plan,
        end,
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_every_part_however_far_it_came() {
        let plan = serde_json::json!({
            "schema": plan::SCHEMA, "system": "a system", "devices": [], "guest": null, "options": [],
            "command_line": [], "needs": {"initramfs": [], "boot_files": []}, "changes": [], "notes": [],
            "warnings": [], "refusals": [],
        });
        let plan: Plan = serde_json::from_value(plan).unwrap();
        let text = document(&plan, &End::default()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["schema"], SCHEMA);
        assert_eq!(read["plan"]["system"], "a system");
        assert_eq!(read["told"], serde_json::json!([]));
        assert_eq!(read["wrong"], serde_json::json!([]));
        assert!(read["changes"].is_null() && read["receipt"].is_null());
        assert_eq!(read.as_object().map(serde_json::Map::len), Some(6));
    }
}
