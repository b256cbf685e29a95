//! GRUB's core for BIOS, put together by its own `grub-mkimage`.

use std::path::Path;
use std::process::Command;

use super::GrubError;
use crate::io::{self, Context};

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

/// Where older and newer packages of Debian have their libraries.
const LIBRARIES: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
const LOADER: &str = "ld-linux-x86-64.so.2";

/// The core image that reads its configuration from `prefix`, such as `(,gpt2)/boot/grub`. `root` is where
/// the packages of GRUB lie unpacked, with all they depend on: the tool runs with its own libraries.
pub(super) fn make(root: &Path, prefix: &str) -> Result<Vec<u8>, GrubError> {
    let folder = tempfile::tempdir().at("make a folder in", &std::env::temp_dir())?;
    let output = folder.path().join("core.img");
    let program = root.join("usr/bin/grub-mkimage");
    let libraries = LIBRARIES.map(|folder| root.join(folder));
    let mut loaders = libraries.iter().map(|folder| folder.join(LOADER));
    let loader = loaders.find(|path| path.is_file());
    let loader = loader.unwrap_or_else(|| Path::new("/lib64").join(LOADER));
    let mut command = Command::new(loader);
    command
        .arg("--library-path")
        .arg(
            libraries
                .map(|folder| folder.display().to_string())
                .join(":"),
        )
        .arg(&program)
        .args(["--format", "i386-pc", "--prefix", prefix])
        .arg("--directory")
        .arg(root.join("usr/lib/grub/i386-pc"))
        .arg("--output")
        .arg(&output)
        .args(MODULES)
        .env("LC_ALL", "C");
    let ran = command.output().at("run", &program)?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        return Err(GrubError::Tool { program, said });
    }
    Ok(io::read(&output)?)
}
