use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a guest failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The kernel gave up, with this line.
    KernelPanic(String),
    /// The first process ended, which it never may, in these words: its exit status or signal.
    InitEnded(String),
    /// The kernel ran out of memory, with this line.
    OutOfMemory(String),
    /// The guest ended by itself, orderly, before what was waited for.
    NoVerdict,
    /// It was there to be waited for longer than allowed.
    Timeout(Duration),
    /// Nothing came over the serial line for this long.
    Silent(Duration),
    /// Another thing came that rules the awaited one out.
    Instead(String),
    /// QEMU ended with this status, and this on its standard error.
    QemuDied {
        /// In words: exit status or signal.
        status: String,
        /// What QEMU said.
        said: String,
    },
    /// The lab itself failed.
    Lab(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KernelPanic(line) => write!(f, "the guest's kernel panicked: {line}"),
            Self::InitEnded(how) => write!(f, "the guest's first process ended with {how}"),
            Self::OutOfMemory(line) => write!(f, "the guest ran out of memory: {line}"),
            Self::NoVerdict => write!(f, "the guest ended by itself without it"),
            Self::Timeout(after) => write!(f, "not seen after {:.0} s", after.as_secs_f64()),
            Self::Silent(time) => write!(f, "no output for {:.0} s", time.as_secs_f64()),
            Self::Instead(what) => write!(f, "{what} came instead"),
            Self::QemuDied { status, said } => write!(f, "QEMU ended with {status}: {said}"),
            Self::Lab(what) => f.write_str(what),
        }
    }
}

/// A guest that did not do what was waited for: how it failed, and what there is to find out why.
#[derive(Clone)]
pub struct Failure {
    /// The name of the run.
    pub run: String,
    /// What was waited for.
    pub waiting_for: String,
    /// How it failed.
    pub outcome: Outcome,
    /// QEMU's word on the machine (`running`, `paused`, `internal-error`), when it still answered.
    pub machine_state: Option<String>,
    /// The last lines of the serial line.
    pub last_lines: Vec<String>,
    /// Folder with the whole logs.
    pub logs: PathBuf,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: waiting for {}: {}",
            self.run, self.waiting_for, self.outcome
        )?;
        if let Some(state) = &self.machine_state {
            writeln!(f, "  the machine is {state}")?;
        }
        for line in &self.last_lines {
            writeln!(f, "  | {line}")?;
        }
        write!(f, "  logs are kept in {}", self.logs.display())
    }
}

/// As it is displayed, so that `unwrap` in a test prints it readably.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
