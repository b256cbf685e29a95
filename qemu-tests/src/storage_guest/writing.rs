use serde::{Deserialize, Serialize};
use storage::{DiskId, Ended, FileSystemId, Trouble};

/// What to write, after a rehearsal on overlays, to the file systems of an installed system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRequest {
    /// The name in its `/etc/hostname`.
    pub host: String,
    /// Kinds of the file systems to write to beside its root, among those on the root's disks.
    pub kinds: Vec<String>,
    /// A file, below the top of each.
    pub path: String,
    /// What it is to hold.
    pub text: String,
    /// The passphrase to open every LUKS volume with.
    pub passphrase: Option<String>,
    /// How the writing ends.
    pub end: End,
}

/// How a process that has opened disks for writing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It closes them.
    Closed,
    /// It is killed, and another one closes them.
    Killed,
    /// It is killed, and nobody closes them before the power is cut.
    CutOff,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteAnswer {
    /// The file systems that were written to.
    pub written: Vec<FileSystemId>,
    /// The disks that might be.
    pub disks: Vec<DiskId>,
    /// How many volumes were known when they were open.
    pub volumes: usize,
    /// What was said when they were opened.
    pub troubles: Vec<Trouble>,
    /// How the writer ended, when it closed them itself.
    pub ended: Option<Ended>,
    /// What stayed when another one closed them.
    pub stays: Vec<Trouble>,
}
