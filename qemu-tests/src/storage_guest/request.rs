use rehearse::{Told, Tool};
use serde::{Deserialize, Serialize};
use storage::{Ended, Storage};

use super::WriteRequest;

/// Something that the guest is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Run a shell script, in which a failing command ends the script; it answers with what it prints.
    Shell(String),
    /// Look at all disks; it answers with a [`LookAnswer`] as JSON.
    Look(LookRequest),
    /// Run programs in the root of the first system that is found; it answers with a [`RehearseAnswer`] as JSON.
    Rehearse(RehearseRequest),
    /// List every file on the disks; it answers with an [`Inventory`](super::Inventory) as JSON.
    Inventory,
    /// Open the file systems of a system for writing, and write; it answers with a [`WriteAnswer`] as JSON.
    ///
    /// [`WriteAnswer`]: super::WriteAnswer
    Write(WriteRequest),
}

/// What to do in the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearseRequest {
    /// One after another.
    pub steps: Vec<Step>,
    /// Seconds that each program may take.
    pub seconds: u64,
}

/// One step of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Write a file: its path and text.
    Write(String, String),
    /// Run a tool of the system.
    Tool(Tool),
    /// Run a program with its arguments.
    Words(Vec<String>),
    /// Answer with a file: text as it is, an initrd as the configuration in it.
    Read(String),
}

/// What a rehearsal brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearseAnswer {
    /// What each program did, or why it did not start.
    pub told: Vec<Result<Told, String>>,
    /// The files that were asked for.
    pub files: Vec<RootFile>,
    /// Bytes that were written over the disks, in memory.
    pub written_over: u64,
    /// How the look ended.
    pub ended: Ended,
}

/// How to look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookRequest {
    /// Bytes that all overlays together may fill.
    pub bound: Option<u64>,
    /// Files to read in every root that is found, with paths as that system has them.
    pub files: Vec<String>,
    /// The passphrase to open every LUKS volume with.
    pub passphrase: Option<String>,
    /// Whether a plan is to be made from it.
    pub to_plan: bool,
}

/// What a look brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookAnswer {
    /// What is on the disks.
    pub storage: Storage,
    /// The files that were asked for.
    pub files: Vec<RootFile>,
    /// Bytes that were written over the disks, in memory.
    pub written_over: u64,
    /// How the look ended.
    pub ended: Ended,
    /// Milliseconds from beginning to end.
    pub took: u64,
}

/// A file of a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFile {
    /// Number of the root in the storage.
    pub root: usize,
    /// The path that was asked for.
    pub path: String,
    /// Its text, or why it could not be read.
    pub text: Result<String, String>,
}

impl Request {
    /// A script.
    pub fn shell(script: &str) -> Self {
        Self::Shell(script.to_owned())
    }
}

impl LookAnswer {
    /// The text of a file in the root with this number.
    pub fn file(&self, root: usize, path: &str) -> Option<&str> {
        let mut files = self.files.iter();
        let file = files.find(|file| file.root == root && file.path == path)?;
        file.text.as_deref().ok()
    }

    /// The texts of a file in all roots, sorted.
    pub fn texts(&self, path: &str) -> Vec<&str> {
        let roots = 0..self.storage.roots.len();
        let mut texts: Vec<&str> = roots.filter_map(|root| self.file(root, path)).collect();
        texts.sort_unstable();
        texts
    }
}
