//! What tells a disk that was written to from one that was not, outside the guest.

use std::path::{Path, PathBuf};
use std::process::Command;

use qemu_tests::{Qemu, Run};
use serde_json::{Value, json};

/// What was done to disks; empty when nothing was.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Disks with write operations by QEMU's counters.
    pub counted: Vec<String>,
    /// Overlays with clusters of their own.
    pub allocated: Vec<PathBuf>,
}

impl Harm {
    /// By QEMU's counters, while it runs.
    pub fn counted(run: &mut Run) -> Self {
        Self::counted_of(run, |_| true)
    }

    /// The same of disks alone: the stick and the firmware's variables are written to.
    pub fn counted_of_disks(run: &mut Run) -> Self {
        Self::counted_of(run, |node| node.starts_with("slot"))
    }

    fn counted_of(run: &mut Run, meant: impl Fn(&str) -> bool) -> Self {
        let stats = run.qmp("query-blockstats", json!({})).unwrap();
        let disks = stats.as_array().unwrap().iter();
        let disks: Vec<&Value> = disks
            .filter(|disk| {
                !disk["qdev"].is_null() && disk["node-name"].as_str().is_some_and(&meant)
            })
            .collect();
        assert!(!disks.is_empty(), "QEMU counts nothing: {stats}");
        let written = |disk: &&&Value| {
            let stats = &disk["stats"];
            let count = |name: &str| stats[name].as_u64().unwrap();
            count("wr_operations") + count("unmap_operations") + count("wr_bytes") > 0
        };
        Self {
            counted: disks
                .iter()
                .filter(written)
                .map(ToString::to_string)
                .collect(),
            allocated: Vec::new(),
        }
    }

    /// And by what these overlays hold, when QEMU has ended.
    pub fn and_in(self, qemu: &Qemu, overlays: &[PathBuf]) -> Self {
        let holds = |overlay: &&PathBuf| holds_something(qemu, overlay);
        Self {
            allocated: overlays.iter().filter(holds).cloned().collect(),
            ..self
        }
    }
}

/// Whether a cluster of the image is in the overlay itself and not in what is below it.
fn holds_something(qemu: &Qemu, overlay: &Path) -> bool {
    let mut command = qemu.tool("qemu-img");
    command
        .args(["map", "--output=json", "-f", "qcow2"])
        .arg(overlay);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let extents: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    // What neither has is not present, at whichever depth.
    let own = |extent: &Value| extent["depth"] == 0 && extent["present"] == true;
    assert!(!extents.is_empty());
    extents.iter().any(own)
}

/// SHA-256 of what a machine sees of this disk.
pub fn sha256(qemu: &Qemu, disk: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("disk.raw");
    let mut command = qemu.tool("qemu-img");
    command.args(["convert", "-f", "qcow2", "-O", "raw"]);
    let output = command.arg(disk).arg(&raw).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // An unoptimised test would take minutes for what this takes seconds.
    let output = Command::new("sha256sum")
        .arg("--")
        .arg(&raw)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}
