//! GRUB's core for BIOS, put together by its own `grub-mkimage`.

use std::path::Path;

use super::GrubError;
use crate::io::{self, Context};
use crate::package::program;

const TOOL: &str = "usr/bin/grub-mkimage";

/// What the core is made of: nothing is loaded later, so that no module has to lie on the medium.
const MODULES: [&str; 19] = [
    "biosdisk",
    "part_gpt",
    "fat",
    "normal",
    "configfile",
    "linux",
    "serial",
    "terminal",
    "probe",
    "regexp",
    "test",
    "true",
    "echo",
    "ls",
    "cat",
    "help",
    "minicmd",
    "reboot",
    "halt",
];

/// What also reads a CD.
const CD_MODULES: [&str; 2] = ["iso9660", "part_msdos"];

/// For which medium a core is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Loaded by the boot code of a disk.
    Disk,
    /// Loaded by firmware from a CD (El Torito), or by the boot code of a disk that is the copy of one.
    Cd,
}

/// The core image that reads its configuration from `prefix`, such as `(,gpt2)/boot/grub`. `root` is where
/// the packages of GRUB lie unpacked, with all they depend on.
pub(super) fn make(root: &Path, format: Format, prefix: &str) -> Result<Vec<u8>, GrubError> {
    let folder = tempfile::tempdir().at("make a folder in", &std::env::temp_dir())?;
    let output = folder.path().join("core.img");
    let mut command = program(root, TOOL);
    let (name, more): (_, &[&str]) = match format {
        Format::Disk => ("i386-pc", &[]),
        Format::Cd => ("i386-pc-eltorito", &CD_MODULES),
    };
    command
        .args(["--format", name, "--prefix", prefix])
        .arg("--directory")
        .arg(root.join("usr/lib/grub/i386-pc"))
        .arg("--output")
        .arg(&output)
        .args(MODULES)
        .args(more);
    let program = root.join(TOOL);
    let ran = command.output().at("run", &program)?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        return Err(GrubError::Tool { program, said });
    }
    Ok(io::read(&output)?)
}
