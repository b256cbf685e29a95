use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::installer::run_name;
use super::{Console, Golden, disks};
use crate::{Boot, Deadlines, Qemu};

/// The firmware's variables of a system that is booted by UEFI.
pub(super) const VARIABLES: &str = "variables.fd";

/// What OVMF calls them.
const WORK_VARIABLES: &str = "OVMF_VARS_4M.fd";

/// On the reference machine, five times what is seen there.
const PATIENCE: Duration = Duration::from_secs(6 * 60);

/// See [`super::installer`].
const BUSY: f64 = 4.0;

/// The disk as it is written to while the system is made.
pub(super) fn work_disk(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("work{number}.qcow2"))
}

/// The disk as it is kept.
pub(super) fn disk(number: usize) -> String {
    format!("disk{number}.qcow2")
}

/// What was seen when the system booted.
pub(super) struct Seen {
    /// /proc/cmdline.
    pub(super) command_line: String,
}

/// Boots the system on the disks in `folder` by itself to its login prompt, logs in, presses the power button,
/// and packs the disks. So what is kept has run once and was shut down in order, as the disks of a host are.
pub(super) fn first_boot(golden: Golden, folder: &Path, qemu: &Qemu) -> Result<Seen> {
    let work: Vec<PathBuf> = (0..golden.disk_count())
        .map(|number| work_disk(folder, number))
        .collect();
    let variables = folder.join(WORK_VARIABLES);
    if variables.is_file() {
        rename(&variables, &folder.join(VARIABLES))?;
    }
    let machine = super::machine(golden, &work, folder, folder)?;
    let mut run = Boot::from_disk(&run_name("first-boot", folder), machine)
        .deadlines(Deadlines::scaled(BUSY))
        .start(qemu)?;
    let mut console = Console::log_in(&mut run, golden, PATIENCE)?;
    let command_line = console.ask("cat /proc/cmdline")?;
    run.qmp("system_powerdown", json!({}))?;
    run.wait_end()?;
    drop(run);
    if variables.is_file() {
        rename(&variables, &folder.join(VARIABLES))?;
    }
    for (number, path) in work.iter().enumerate() {
        disks::compress(qemu, path, "qcow2", &folder.join(disk(number)))?;
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(Seen { command_line })
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {}", from.display()))
}
