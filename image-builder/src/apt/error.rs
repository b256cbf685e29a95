use std::io;
use std::process::{Command, Stdio};

use crate::cache::CacheError;
use crate::io::IoError;

/// Packages could not be fetched or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The cache said no.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A program of apt or dpkg could not be started.
    #[error("cannot run {program}; fetching packages needs a Debian-family system with apt")]
    Start {
        /// Which.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program of apt or dpkg failed.
    #[error("`{command}` failed: {}", output.trim())]
    Failed {
        /// The command line.
        command: String,
        /// What it printed as its errors.
        output: String,
    },
    /// apt was content but no file came.
    #[error("apt fetched no file for {packages}")]
    Nothing {
        /// Package names.
        packages: String,
    },
    /// The machine's sources name no Debian mirror.
    #[error(
        "the machine's apt sources name no Debian mirror; set {variable} to the address of one"
    )]
    NoMirror {
        /// The environment variable.
        variable: &'static str,
    },
    /// Without its key nothing of Debian can be checked.
    #[error("no Debian archive key in {folder}; install the package debian-archive-keyring")]
    NoKey {
        /// Where it was looked for.
        folder: &'static str,
    },
}

/// Runs a command to its end and gives its standard output.
pub(super) fn run(command: &mut Command) -> Result<String, AptError> {
    let output = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| AptError::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    Err(AptError::Failed {
        command: words.join(" "),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
