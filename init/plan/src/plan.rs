use std::collections::BTreeMap;

use hardware::Machine;
use pci::{Address, FunctionId};
use proxmox::boot::way::Method;
use serde::{Deserialize, Serialize};

use crate::edit::WordEdit;

/// What is to be changed in one installed system, and why. Its JSON is the contract of
/// `preflight plan --format json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `preflight.plan/1`.
    pub schema: String,
    /// The system, as a person calls it.
    pub system: String,
    /// Every function that the guest is to get.
    pub devices: Vec<Address>,
    /// What each of them is, to be found there again before the plan is applied. Empty where it is not known whether
    /// the plan is for the machine that it will be applied on.
    #[serde(default)]
    pub device_ids: BTreeMap<Address, FunctionId>,
    /// The guest.
    pub guest: Option<u32>,
    /// Every option that had a say: what it is set to, by whom, and why.
    pub options: Vec<OptionUsed>,
    /// Files, in the order that they are written.
    pub changes: Vec<Change>,
    /// What is changed of the kernel's command line, wherever the system takes it from.
    #[serde(default)]
    pub command_line: Vec<WordEdit>,
    /// What has to be made anew from them.
    pub needs: Needs,
    /// Worth knowing.
    pub notes: Vec<String>,
    /// What is lost, or may go wrong.
    pub warnings: Vec<String>,
    /// Why this is not applied as it stands.
    pub refusals: Vec<Refusal>,
}

/// The name and version of the JSON document.
pub const SCHEMA: &str = "preflight.plan/1";

/// An option's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionUsed {
    /// Its name.
    pub option: String,
    /// Its value.
    pub value: String,
    /// A person asked for it.
    pub asked: bool,
    /// Why, from what was read.
    pub reason: String,
}

/// A file that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which tree it is in.
    pub tree: Tree,
    /// Its path: whole in the root, below /etc/pve in `pve`, a name on the stick.
    pub path: String,
    /// What it is now; none where it is not there.
    pub before: Option<Content>,
    /// What it is to be.
    pub after: Content,
    /// Permission bits, where the file is new and they matter.
    pub mode: Option<u32>,
    /// Why, a sentence for each part.
    pub reasons: Vec<String>,
}

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// The system's root.
    Root,
    /// /etc/pve, which is in config.db.
    Pve,
    /// The folder of results on the stick.
    Stick,
}

/// Bytes of a file, with their hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub length: usize,
    /// The bytes themselves.
    #[serde(flatten)]
    pub body: Body,
}

/// How bytes stand in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Text in UTF-8.
    Text(String),
    /// Anything else, as hex.
    Hex(String),
    /// A copy of this file; it is read again, and must still have that hash.
    File(String),
}

/// What has to be made anew after the files are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Kernels whose initrds do not have the files yet.
    pub initramfs: Vec<String>,
    /// How the system starts: each way has boot files of its own to refresh.
    pub boot_files: Vec<Method>,
}

/// Why a plan is not applied as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its id, as `--accept` takes it.
    pub id: String,
    /// One sentence.
    pub summary: String,
    /// What was read, where.
    pub evidence: Vec<String>,
    /// Whether a person can take it as said; otherwise something else has to change first.
    pub can_be_accepted: bool,
    /// A person did.
    pub accepted: bool,
}

impl Plan {
    /// Whether something stands against applying it.
    pub fn is_refused(&self) -> bool {
        self.refusals.iter().any(|refusal| !refusal.accepted)
    }

    /// What of its devices is not where it was when the plan was made: a card that was plugged in or taken away
    /// shifts the addresses of others.
    pub fn misplaced(&self, machine: &Machine) -> Vec<String> {
        let planned = self.device_ids.iter();
        planned
            .filter_map(|(address, id)| {
                let mut functions = machine.functions.iter();
                match functions.find(|function| function.address == *address) {
                    Some(there) if there.id == *id => None,
                    Some(there) => Some(format!("{address} was {id}, and is {}", there.id)),
                    None => Some(format!("{address} was {id}, and nothing is there")),
                }
            })
            .collect()
    }
}

impl Content {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let body = match std::str::from_utf8(bytes) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Hex(hex(bytes)),
        };
        Self {
            sha256: sha256(bytes),
            length: bytes.len(),
            body,
        }
    }

    /// The bytes, where they stand in the document. None for a copy of a file, and for hex that is none.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match &self.body {
            Body::Text(text) => Some(text.clone().into_bytes()),
            Body::Hex(text) => {
                let digits = text.as_bytes().chunks(2);
                let byte =
                    |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
                digits.map(byte).collect()
            }
            Body::File(_) => None,
        }
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
