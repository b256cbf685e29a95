//! What the next boot finds in an ext4 after a power cut, looked up with e2fsprogs.

use std::io;
use std::path::Path;
use std::process::{Command, Output};

/// A file after the journal's replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is there, with these bytes.
    File(Vec<u8>),
    /// It is not there.
    Nothing,
    /// `e2fsck` could not mend the file system, in its words.
    Broken(String),
}

/// Recovers the ext4 in `image` as a boot would (`e2fsck -fy`, which changes the image), and looks for the
/// file at `path`.
pub fn recover(image: &Path, path: &str) -> io::Result<Found> {
    let checked = run(Command::new("e2fsck").arg("-fy").arg(image))?;
    // 1: errors were corrected. The journal's replay alone gives 0.
    if checked.status.code().is_none_or(|code| code > 1) {
        return Ok(Found::Broken(both(&checked)));
    }
    let read = run(Command::new("debugfs")
        .arg("-R")
        .arg(format!("cat {path}"))
        .arg(image))?;
    // debugfs ends with 0 in any case, and greets on standard error.
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    let complaint: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("debugfs "))
        .collect();
    match complaint.as_slice() {
        [] => Ok(Found::File(read.stdout)),
        [line] if line.contains("File not found") => Ok(Found::Nothing),
        _ => Ok(Found::Broken(both(&read))),
    }
}

fn run(command: &mut Command) -> io::Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| {
            io::Error::new(error.kind(), format!("{name}: {error}; install e2fsprogs"))
        })
}

fn both(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    text.concat().trim().to_owned()
}
