//! Every console the kernel uses: what a person must see goes to all of them, and a key on any of them
//! counts. On a machine without a screen that is the serial line, on most it is the screen.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, LocalFlags, SetArg, Termios, tcflush, tcgetattr, tcsetattr};

use crate::patience::write_patiently;

/// A console that takes nothing for so long (a serial line with its flow stopped) is given up for this
/// text.
const PATIENCE: Duration = Duration::from_secs(3);

/// The consoles that could be opened.
pub struct Consoles {
    open: Vec<Console>,
}

struct Console {
    node: PathBuf,
    device: File,
}

impl Consoles {
    /// Opens the consoles in /proc/consoles; /dev/console alone where that cannot be read.
    pub fn open() -> Self {
        let listed = fs::read_to_string("/proc/consoles").unwrap_or_default();
        let mut open: Vec<Console> = names(&listed)
            .into_iter()
            .filter_map(open_console)
            .collect();
        if open.is_empty() {
            open.extend(open_console("console".to_owned()));
        }
        Self { open }
    }

    /// Opens them anew. When a shell that had one as its terminal ends, the kernel hangs that line up for
    /// everybody who has it open (vhangup(2)).
    pub fn reopen(&mut self) {
        *self = Self::open();
    }

    /// Writes to all of them. What one does not take is lost for that one only.
    pub fn print(&mut self, text: &str) {
        for console in &mut self.open {
            let _ = write_patiently(&mut console.device, text.as_bytes(), PATIENCE);
        }
    }

    /// Like [`Consoles::print`], with a line end.
    pub fn line(&mut self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// Nodes, in the kernel's order.
    pub fn nodes(&self) -> Vec<PathBuf> {
        self.open
            .iter()
            .map(|console| console.node.clone())
            .collect()
    }

    /// Takes keys one at a time and without echo from now on, and throws away what was typed before. Called before
    /// a question is printed, so that no answer to it is lost.
    pub fn listen(&mut self) -> Listening<'_> {
        let before = self.open.iter().map(Console::key_at_a_time).collect();
        Listening {
            consoles: self,
            before,
        }
    }

    fn wait_for_key(
        &mut self,
        limit: Option<Duration>,
        wake: Option<BorrowedFd>,
    ) -> Option<(char, PathBuf)> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        // A console that reports an error (a line that hung up) is not asked again.
        let mut deaf = vec![false; self.open.len()];
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            let timeout = left
                .and_then(|left| u16::try_from(left.as_millis()).ok())
                .map_or(PollTimeout::from(10_000_u16), PollTimeout::from);
            let listening = self
                .open
                .iter_mut()
                .zip(&mut deaf)
                .filter(|(_, deaf)| !**deaf);
            let mut listening: Vec<(&mut Console, &mut bool)> = listening.collect();
            let mut polled: Vec<PollFd> = listening
                .iter()
                .map(|(console, _)| PollFd::new(console.device.as_fd(), PollFlags::POLLIN))
                .chain(wake.map(|wake| PollFd::new(wake, PollFlags::POLLIN)))
                .collect();
            let _ = poll(&mut polled, timeout);
            let woken = wake.is_some()
                && polled
                    .last()
                    .and_then(PollFd::revents)
                    .is_some_and(|flags| flags.contains(PollFlags::POLLIN));
            if woken {
                return None;
            }
            let ready: Vec<PollFlags> = polled
                .iter()
                .map(|fd| fd.revents().unwrap_or(PollFlags::empty()))
                .collect();
            for ((console, deaf), flags) in listening.iter_mut().zip(ready) {
                if flags.contains(PollFlags::POLLIN) {
                    let mut byte = [0];
                    if let Ok(1) = console.device.read(&mut byte) {
                        return Some((char::from(byte[0]), console.node.clone()));
                    }
                }
                if flags.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
                    **deaf = true;
                }
            }
            if deaf.iter().all(|deaf| *deaf) {
                // poll returns at once on a hung-up line.
                std::thread::sleep(
                    left.unwrap_or(Duration::from_secs(1))
                        .min(Duration::from_secs(1)),
                );
            }
        }
    }
}

/// Consoles that take keys; they are as before when it goes.
pub struct Listening<'a> {
    consoles: &'a mut Consoles,
    before: Vec<Option<Termios>>,
}

impl Listening<'_> {
    /// Writes to all of them.
    pub fn print(&mut self, text: &str) {
        self.consoles.print(text);
    }

    /// Waits for a key on any console, at most `limit` and not once `wake` can be read, and says where it came from.
    pub fn key(
        &mut self,
        limit: Option<Duration>,
        wake: Option<BorrowedFd>,
    ) -> Option<(char, PathBuf)> {
        self.consoles.wait_for_key(limit, wake)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        for (console, settings) in self.consoles.open.iter().zip(&self.before) {
            if let Some(settings) = settings {
                let _ = tcsetattr(&console.device, SetArg::TCSANOW, settings);
            }
        }
    }
}

impl Console {
    /// Switches to one key at a time without echo, throws away what was typed before, and returns the
    /// settings to go back to.
    fn key_at_a_time(&self) -> Option<Termios> {
        let before = tcgetattr(&self.device).ok()?;
        let mut settings = before.clone();
        settings
            .local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&self.device, SetArg::TCSANOW, &settings).ok()?;
        let _ = tcflush(&self.device, FlushArg::TCIFLUSH);
        Some(before)
    }
}

fn open_console(name: String) -> Option<Console> {
    let node = PathBuf::from("/dev").join(name);
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(&node)
        .ok()?;
    Some(Console { node, device })
}

/// Names in /proc/consoles that can be written (`W` in the second column).
fn names(listed: &str) -> Vec<String> {
    listed
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, operations) = (words.next()?, words.next()?);
            operations.contains('W').then(|| name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_that_can_be_written_are_found() {
        let listed = "ttyS0                -W- (EC p a)    4:64\n\
                      tty0                 -WU (E  p  )    4:1\n\
                      netcon0              --- (E  p  )\n";
        assert_eq!(names(listed), ["ttyS0", "tty0"]);
    }
}
