use std::io::{self, BufRead, BufReader, Read, Seek};
use std::process::{Command, ExitStatus, Stdio};

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
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output();
    let output = output.map_err(|source| not_started(command, source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(command, &output.stderr))
}

/// Runs a command to its end; `hear` hears each line that it prints when it does.
pub(super) fn run_told(command: &mut Command, hear: &dyn Fn(&str)) -> Result<(), AptError> {
    let (status, complaints) =
        ended(command, hear).map_err(|source| not_started(command, source))?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(command, &complaints)),
    }
}

/// How it ended, and what it complained of.
fn ended(command: &mut Command, hear: &dyn Fn(&str)) -> io::Result<(ExitStatus, Vec<u8>)> {
    // A file takes any number of complaints while nobody reads them.
    let mut complaints = tempfile::tempfile()?;
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
        .stdout(Stdio::piped())
        .stderr(complaints.try_clone()?);
    let mut child = command.spawn()?;
    if let Some(text) = child.stdout.take() {
        for line in BufReader::new(text).split(b'\n') {
            hear(&String::from_utf8_lossy(&line?));
        }
    }
    let status = child.wait()?;
    let mut text = Vec::new();
    complaints.rewind()?;
    complaints.read_to_end(&mut text)?;
    Ok((status, text))
}

fn not_started(command: &Command, source: io::Error) -> AptError {
    AptError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

fn failed(command: &Command, complaints: &[u8]) -> AptError {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    AptError::Failed {
        command: words.join(" "),
        output: String::from_utf8_lossy(complaints).into_owned(),
    }
}
