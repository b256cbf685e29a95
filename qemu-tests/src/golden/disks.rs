use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::Qemu;

/// An empty qcow2 disk of this many bytes.
pub(super) fn create(qemu: &Qemu, path: &Path, bytes: u64) -> Result<()> {
    let mut command = qemu.tool("qemu-img");
    command.args(["create", "-q", "-f", "qcow2"]).arg(path);
    run(command.arg(bytes.to_string()))
}

/// An empty overlay over the qcow2 image `base`, which stays as it is.
pub(super) fn overlay(qemu: &Qemu, base: &Path, path: &Path) -> Result<()> {
    let base = base
        .canonicalize()
        .with_context(|| format!("cannot find {}", base.display()))?;
    let mut command = qemu.tool("qemu-img");
    command.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]);
    run(command.arg(base).arg(path))
}

/// Whether a cluster of the image is in the overlay itself.
pub(super) fn holds_something(qemu: &Qemu, overlay: &Path) -> Result<bool> {
    let mut command = qemu.tool("qemu-img");
    command.args(["map", "--output=json", "-f", "qcow2"]);
    let output = command.arg(overlay).output()?;
    ensure!(output.status.success(), "{command:?} failed: {output:?}");
    let extents: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    ensure!(!extents.is_empty(), "{command:?} said nothing");
    // What neither has is not present, at whichever depth.
    let own = |extent: &Value| extent["depth"] == 0 && extent["present"] == true;
    Ok(extents.iter().any(own))
}

/// A compressed qcow2 copy of an image in `format`.
pub(super) fn compress(qemu: &Qemu, from: &Path, format: &str, to: &Path) -> Result<()> {
    let mut command = qemu.tool("qemu-img");
    command.args(["convert", "-c", "-f", format, "-O", "qcow2"]);
    command.args(["-o", "compression_type=zstd"]);
    run(command.arg(from).arg(to))
}

/// Runs a program to its end; an error has its words.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines.len().saturating_sub(20);
    bail!("{command:?} failed:\n{}", lines[last..].join("\n"))
}
