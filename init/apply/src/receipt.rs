use serde::{Deserialize, Serialize};

use crate::change::ChangeSet;
use crate::difference::Difference;

/// The name and version of a receipt's JSON.
pub const SCHEMA: &str = "preflight.receipt/1";
pub(crate) const JOURNAL_SCHEMA: &str = "preflight.journal/1";

/// What was changed, and enough to take it back where the folder of the same name still is. One copy is in
/// `/var/lib/preflight/<id>/receipt.json` of the changed system; another goes to the stick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`SCHEMA`].
    pub schema: String,
    /// Every file before and after.
    pub set: ChangeSet,
    /// Folders that were made to keep the receipt in, the outer ones first.
    pub made: Vec<String>,
}

/// What is under way; it is on the disk before anything is changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub schema: String,
    pub set: ChangeSet,
    pub made: Vec<String>,
    /// Files that are neither old nor new, as a person saw them and let them go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overwritten: Vec<Difference>,
}

impl Journal {
    pub fn new(set: ChangeSet, made: Vec<String>) -> Self {
        Self {
            schema: JOURNAL_SCHEMA.to_owned(),
            set,
            made,
            overwritten: Vec::new(),
        }
    }

    pub fn receipt(self) -> Receipt {
        Receipt {
            schema: SCHEMA.to_owned(),
            set: self.set,
            made: self.made,
        }
    }
}
