use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use storage::Root;

use crate::enter::{Orders, Step};
use crate::output::Lines;
use crate::surroundings::Device;
use crate::{Error, Tool};

/// Between two looks at whether a process has ended that prints nothing any more.
const PAUSE: Duration = Duration::from_millis(10);

/// What was killed and hangs in the kernel gets so long to end.
const ENDING: Duration = Duration::from_secs(10);

/// A root whose programs can be run.
#[derive(Clone, Debug)]
pub struct InRoot<'a> {
    /// The root, mounted for writing on overlays.
    pub root: &'a Root,
    /// What its programs find in /dev. Nothing in it may lead to a disk.
    pub devices: &'a [Device],
    /// What can be read when somebody wants it to end before its time.
    pub stop: Option<BorrowedFd<'a>>,
    /// The arguments with which this very program calls [`crate::enter`] with the one that follows them.
    pub entrance: &'a [&'a str],
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The command, as a person would type it.
    pub command: String,
    /// How it ended.
    pub ended: Ended,
    /// What it printed, standard output and error as they came; the end of it, where it was very much.
    pub lines: Vec<String>,
    /// Lines before those, which were not kept.
    pub dropped: usize,
    /// Milliseconds.
    pub took_ms: u64,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// With this status; 0 is success. 128 and above: by that signal.
    Status(i32),
    /// It was still running at its limit, and was ended with all that it had started.
    TooLong,
    /// Somebody wanted it to end, and so it was.
    Interrupted,
}

impl Told {
    /// Whether it did what it should, by its own word.
    pub fn is_success(&self) -> bool {
        self.ended == Ended::Status(0)
    }
}

impl InRoot<'_> {
    /// Runs a tool for at most `limit`; every line that it prints is told as it comes. An error means that it
    /// did not start.
    pub fn run(
        &self,
        tool: &Tool,
        limit: Duration,
        each: &mut dyn FnMut(&str),
    ) -> Result<Told, Error> {
        self.run_words(&tool.words(), limit, each)
    }

    /// Runs any program of the root, in the same way.
    pub fn run_words(
        &self,
        words: &[String],
        limit: Duration,
        each: &mut dyn FnMut(&str),
    ) -> Result<Told, Error> {
        let started = Instant::now();
        let (mut child, mut output) = self.start(words)?;
        let mut lines = Lines::default();
        let until = Until {
            deadline: started + limit,
            stop: self.stop,
        };
        let followed = follow(&mut child, &mut output, &until, &mut lines, each);
        let status = match followed {
            Ok(Ok(status)) => Ok(Ended::Status(code(status))),
            Ok(Err(ended)) => end(&mut child, &mut output).map(|()| ended),
            Err(error) => end(&mut child, &mut output).and(Err(error)),
        };
        let ended = status.map_err(Error::io("follow", Path::new("/proc/self/exe")))?;
        let (lines, dropped) = lines.end(each);
        Ok(Told {
            command: words.join(" "),
            ended,
            lines,
            dropped,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn start(&self, words: &[String]) -> Result<(Child, PipeReader), Error> {
        let orders = Orders {
            step: Step::Surround,
            root: self.root.path().to_owned(),
            devices: self.devices.to_vec(),
            entrance: self.entrance.iter().map(|&word| word.to_owned()).collect(),
            program: words.to_vec(),
        };
        let orders =
            serde_json::to_string(&orders).map_err(|error| Error::Words(error.to_string()))?;
        let this = Path::new("/proc/self/exe");
        let failed = || Error::io("start", this);
        let (reader, writer) = io::pipe().map_err(failed())?;
        let also = writer.try_clone().map_err(failed())?;
        let child = Command::new(this)
            .args(self.entrance)
            .arg(orders)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(also)
            .process_group(0)
            .spawn()
            .map_err(failed())?;
        Ok((child, reader))
    }
}

/// How long a program is followed.
struct Until<'a> {
    deadline: Instant,
    stop: Option<BorrowedFd<'a>>,
}

/// Takes in what the child prints until it has ended; why it has to be ended, when it has not by then.
fn follow(
    child: &mut Child,
    output: &mut PipeReader,
    until: &Until,
    lines: &mut Lines,
    each: &mut dyn FnMut(&str),
) -> io::Result<Result<ExitStatus, Ended>> {
    let mut block = [0; 1 << 12];
    let mut is_open = true;
    loop {
        let left = until.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Err(Ended::TooLong));
        }
        if !is_open {
            if let Some(status) = child.try_wait()? {
                return Ok(Ok(status));
            }
            thread::sleep(left.min(PAUSE));
            continue;
        }
        let ends = until.stop.into_iter().chain([output.as_fd()]);
        let mut watched: Vec<PollFd> = ends
            .map(|end| PollFd::new(end, PollFlags::POLLIN))
            .collect();
        let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, patience) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_ready = |end: &PollFd| end.any().unwrap_or(true);
        let stops = until.stop.is_some() && watched.first().is_some_and(is_ready);
        let has_output = watched.last().is_some_and(is_ready);
        if stops {
            return Ok(Err(Ended::Interrupted));
        }
        if !has_output {
            continue;
        }
        match output.read(&mut block)? {
            0 => is_open = false,
            length => lines.add(block.get(..length).unwrap_or_default(), each),
        }
    }
}

/// Ends the group: the process that waits and the program, whose namespace, with all that it has started, ends
/// with it. Waits for the last of them, whose end closes the pipe.
fn end(child: &mut Child, output: &mut PipeReader) -> io::Result<()> {
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    child.wait()?;
    let deadline = Instant::now() + ENDING;
    let mut block = [0; 1 << 12];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut watched = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, patience) {
            Ok(0) => {
                return Err(io::Error::other(
                    "it does not end when it is killed; a disk may not answer",
                ));
            }
            Err(Errno::EINTR) => {}
            Ok(_) if output.read(&mut block)? == 0 => return Ok(()),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}
