use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A program with a process group of its own, which is ended, and checked to be gone, on drop.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
    said: PathBuf,
}

impl Process {
    /// Starts `command` with standard input closed; what it prints goes to the file `said`.
    pub(crate) fn start(command: &mut Command, said: &Path) -> io::Result<Self> {
        let log = File::create(said)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let group = i32::try_from(child.id()).map_err(io::Error::other)?;
        Ok(Self {
            child,
            group: Pid::from_raw(group),
            said: said.to_owned(),
        })
    }

    /// Its status, once it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// What it printed.
    pub(crate) fn said(&self) -> String {
        std::fs::read(&self.said)
            .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
            .unwrap_or_default()
    }

    /// Its process group.
    pub(crate) fn group(&self) -> i32 {
        self.group.as_raw()
    }

    /// Ends the whole group. An error when something of it is still there after five seconds.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match killpg(self.group, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
        self.child.wait()?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while killpg(self.group, None) != Err(Errno::ESRCH) {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!(
                    "process group {} is still there after SIGKILL",
                    self.group
                )));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{error}");
        }
    }
}

/// A status in words.
pub(crate) fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_a_program_end_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 & sleep 600"]);
        let process = Process::start(&mut shell, &folder.path().join("said")).unwrap();
        let group = process.group;
        assert_eq!(killpg(group, None), Ok(()));
        drop(process);
        assert_eq!(killpg(group, None), Err(Errno::ESRCH));
    }
}
