use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// What ends a command that a person has started: from the terminal, by `kill`, by a lost connection.
const INTERRUPTS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Signals that are held back from this thread, and told instead. Processes that are started get them as ever.
pub struct Interrupts {
    signals: SigSet,
    pending: SignalFd,
}

impl Interrupts {
    /// From now on. To be called before there are other threads.
    pub fn hold_back() -> nix::Result<Self> {
        let signals = INTERRUPTS.into_iter().collect::<SigSet>();
        signals.thread_block()?;
        let pending =
            SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        Ok(Self {
            pending: pending.inspect_err(|_| {
                let _ = signals.thread_unblock();
            })?,
            signals,
        })
    }

    /// What can be read as soon as there was one.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.pending.as_fd()
    }

    /// Whether there was one since they are held back, or since this was asked.
    pub fn was_told(&self) -> bool {
        matches!(self.pending.read_signal(), Ok(Some(_)))
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // Those that were told are done with; the next ones work as ever.
        while let Ok(Some(_)) = self.pending.read_signal() {}
        let _ = self.signals.thread_unblock();
    }
}

/// A program in a process group of its own, with all that it starts.
pub struct ProcessGroup {
    leader: Child,
    id: Pid,
}

impl ProcessGroup {
    /// Starts a program with pipes to it and from it.
    pub fn start(command: &mut Command) -> Result<Self> {
        let command = command.process_group(0);
        let leader = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let id = Pid::from_raw(i32::try_from(leader.id())?);
        Ok(Self { leader, id })
    }

    /// Gives it what it reads, to the end.
    pub fn give(&mut self, input: &[u8]) -> Result<()> {
        let mut pipe = self.leader.stdin.take().context("it reads nothing")?;
        pipe.write_all(input).context("it does not read")
    }

    /// All that it prints until it ends well. An error when it takes longer than `limit`, is interrupted, prints
    /// more than `longest` bytes, or fails; it may be running then.
    pub fn output(
        &mut self,
        limit: Option<Duration>,
        interrupts: Option<&Interrupts>,
        longest: usize,
    ) -> Result<Vec<u8>> {
        let deadline = limit.map(|limit| (limit, Instant::now() + limit));
        let mut pipe = self.leader.stdout.take().context("it has no output")?;
        let mut printed = Vec::new();
        let mut bytes = vec![0; 64 << 10];
        loop {
            wait(pipe.as_fd(), deadline, interrupts)?;
            let count = pipe.read(&mut bytes).context("its output was lost")?;
            if count == 0 {
                break;
            }
            printed.extend_from_slice(bytes.get(..count).unwrap_or_default());
            if printed.len() > longest {
                bail!("it said more than {} MiB", longest >> 20);
            }
        }
        drop(pipe);
        let status = loop {
            if let Some(status) = self.leader.try_wait().context("it was lost")? {
                break status;
            }
            if let Some((limit, _)) = deadline.filter(|(_, deadline)| Instant::now() >= *deadline) {
                return Err(too_long(limit));
            }
            thread::sleep(Duration::from_millis(2));
        };
        if !status.success() {
            bail!("it ended with {status}");
        }
        Ok(printed)
    }

    /// Kills it and waits so long for its end. Whether nothing of it is left.
    pub fn kill(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let killed = killpg(self.id, Signal::SIGKILL);
            // Its end is known to nobody before it was waited for.
            let _ = self.leader.try_wait();
            if killed == Err(Errno::ESRCH) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Waits until there is something to read.
fn wait(
    pipe: BorrowedFd,
    deadline: Option<(Duration, Instant)>,
    interrupts: Option<&Interrupts>,
) -> Result<()> {
    loop {
        let mut ends = vec![PollFd::new(pipe, PollFlags::POLLIN)];
        ends.extend(interrupts.map(|held| PollFd::new(held.pending.as_fd(), PollFlags::POLLIN)));
        let left = deadline.map(|(_, at)| at.saturating_duration_since(Instant::now()));
        // Rounded up: no round without waiting in the last millisecond.
        let left = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut ends, left) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("it cannot be waited for"),
        }
        let mut is_ready = ends.iter().map(|end| end.any().unwrap_or(true));
        let (has_output, is_interrupted) = (is_ready.next(), is_ready.next());
        if is_interrupted == Some(true) {
            bail!("it was interrupted and ended");
        }
        if has_output == Some(true) {
            return Ok(());
        }
        if let Some((limit, _)) = deadline.filter(|(_, at)| Instant::now() >= *at) {
            return Err(too_long(limit));
        }
    }
}

fn too_long(limit: Duration) -> anyhow::Error {
    anyhow::anyhow!(
        "it took longer than {} s and was ended; a disk may not answer",
        limit.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nix::sys::signal::raise;

    use super::*;

    fn shell(script: &str) -> ProcessGroup {
        ProcessGroup::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    /// Starts a program in the background, prints its process id, and hangs.
    const HANGS: &str = "sleep 1000 & echo $! > \"$0\"; wait";

    fn hanging(folder: &Path) -> ProcessGroup {
        let file = folder.join("pid");
        let mut command = Command::new("sh");
        ProcessGroup::start(command.args(["-c", HANGS]).arg(file)).unwrap()
    }

    fn is_alive(folder: &Path) -> bool {
        let pid = std::fs::read_to_string(folder.join("pid")).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // One that nobody has waited for yet is a zombie.
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn what_it_is_given_and_what_it_prints_goes_through_whole() {
        let much = vec![b'x'; 1 << 20];
        let mut group = shell("read line; echo \"$line\"; head -c 1000000 /dev/zero");
        group.give(b"typed\n").unwrap();
        let printed = group.output(None, None, much.len()).unwrap();
        assert!(printed.starts_with(b"typed\n"));
        assert_eq!(printed.len(), 1_000_006);
    }

    #[test]
    fn one_that_takes_too_long_is_killed_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut group = hanging(folder.path());
        let error = group.output(Some(Duration::from_millis(700)), None, 100);
        assert!(error.unwrap_err().to_string().contains("took longer"));
        assert!(is_alive(folder.path()));
        group.kill(Duration::from_secs(5));
        assert!(!is_alive(folder.path()));
    }

    #[test]
    fn a_signal_is_told_once_and_can_be_waited_for() {
        let interrupts = Interrupts::hold_back().unwrap();
        assert!(!interrupts.was_told());
        raise(Signal::SIGINT).unwrap();
        let mut ends = [PollFd::new(interrupts.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut ends, PollTimeout::ZERO), Ok(1));
        assert!(interrupts.was_told());
        assert!(!interrupts.was_told());
    }

    #[test]
    fn a_signal_to_this_process_ends_the_waiting_and_not_this_process() {
        let interrupts = Interrupts::hold_back().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut group = hanging(folder.path());
        thread::sleep(Duration::from_millis(300));
        for signal in INTERRUPTS {
            raise(signal).unwrap();
        }
        let limit = Some(Duration::from_secs(60));
        let error = group.output(limit, Some(&interrupts), 100).unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
        group.kill(Duration::from_secs(5));
        assert!(!is_alive(folder.path()));
        drop(interrupts);
    }

    #[test]
    fn one_that_fails_or_says_too_much_has_no_output() {
        let error = shell("exit 3").output(None, None, 100).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        let mut endless = shell("exec cat /dev/zero");
        assert!(endless.output(None, None, 1 << 20).is_err());
        assert!(endless.kill(Duration::from_secs(5)));
    }
}
