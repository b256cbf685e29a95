use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::deadline::Milestone;
use crate::failure::Outcome;

/// What comes over one serial line of a guest, as it comes, and the end to type on where there is one.
#[derive(Debug)]
pub struct Serial {
    log: PathBuf,
    file: Option<File>,
    peer: Option<UnixStream>,
    bytes: Vec<u8>,
    plain: Plain,
    /// End of the last whole line that was looked at.
    scanned: usize,
    milestones: Vec<Milestone>,
    kernel_failure: Option<Outcome>,
}

/// Words that a kernel prints when it has no memory left; the panic that may follow comes of it.
const OUT_OF_MEMORY: &[&str] = &[
    "Out of memory:",
    "deadlocked on memory",
    "invoked oom-killer",
];
const PANIC: &str = "Kernel panic - not syncing";
const MILESTONE: &str = "preflight: milestone ";

impl Serial {
    /// Follows the log file that QEMU writes. `peer`: QEMU's end of a line that takes input.
    pub(crate) fn follow(log: &Path, peer: Option<UnixStream>) -> Self {
        Self {
            log: log.to_owned(),
            file: None,
            peer,
            bytes: Vec::new(),
            plain: Plain::default(),
            scanned: 0,
            milestones: Vec::new(),
            kernel_failure: None,
        }
    }

    /// Takes in what is new; the number of its bytes.
    pub(crate) fn read(&mut self) -> io::Result<usize> {
        if let Some(peer) = &mut self.peer {
            drain(peer)?;
        }
        if self.file.is_none() {
            match File::open(&self.log) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        let before = self.bytes.len();
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut self.bytes)?;
        }
        self.scan(before);
        Ok(self.bytes.len() - before)
    }

    /// Looks at the whole lines in what is new since `before`.
    fn scan(&mut self, before: usize) {
        self.plain.take(&self.bytes[before..]);
        let text = &self.plain.text;
        let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        for line in text[self.scanned.min(end)..end].split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            if let Some((_, rest)) = line.split_once(MILESTONE) {
                let name = rest.split_whitespace().next().unwrap_or_default();
                self.milestones.extend(Milestone::named(name));
            }
            if self.kernel_failure.is_none() {
                self.kernel_failure = kernel_failure(&line);
            }
        }
        self.scanned = end + 1;
    }

    /// Types some text into the guest.
    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        let peer = self.peer.as_mut().ok_or_else(|| {
            io::Error::new(ErrorKind::Unsupported, "this serial line takes no input")
        })?;
        // A UART has no flow control here: faster than a person types, the kernel drops characters.
        for byte in text.as_bytes() {
            peer.write_all(&[*byte])?;
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Everything so far, without carriage returns and terminal control sequences.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.plain.text)
    }

    /// Everything so far as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The last `count` lines that are not empty.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().rev().map(str::trim_end);
        let lines = lines.filter(|line| !line.is_empty()).take(count);
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.reverse();
        lines
    }

    /// How often this milestone was logged.
    pub(crate) fn count(&self, milestone: Milestone) -> usize {
        let same = |seen: &&Milestone| **seen == milestone;
        self.milestones.iter().filter(same).count()
    }

    /// The kernel's own account of its end, if it gave one.
    pub(crate) fn kernel_failure(&self) -> Option<Outcome> {
        self.kernel_failure.clone()
    }
}

fn kernel_failure(line: &str) -> Option<Outcome> {
    if OUT_OF_MEMORY.iter().any(|words| line.contains(words)) {
        return Some(Outcome::OutOfMemory(line.to_owned()));
    }
    line.contains(PANIC)
        .then(|| Outcome::KernelPanic(line.to_owned()))
}

fn drain(peer: &mut UnixStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match peer.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // QEMU is gone; who asks for its status will hear it.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Text without carriage returns and terminal control sequences (ECMA-48: ESC, or ESC [ up to a final byte
/// of 0x40 to 0x7e), which may come in pieces.
#[derive(Debug, Default)]
struct Plain {
    text: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    Sequence,
}

impl Plain {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.state = match (self.state, *byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, b'\r') => State::Text,
                (State::Text, byte) => {
                    self.text.push(byte);
                    State::Text
                }
                (State::Escape, b'[') => State::Sequence,
                // Designation of a character set: one more byte follows.
                (State::Escape, b'(' | b')') => State::Escape,
                (State::Escape, _) => State::Text,
                (State::Sequence, 0x40..=0x7e) => State::Text,
                (State::Sequence, _) => State::Sequence,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pieces: &[&str]) -> Serial {
        let mut serial = Serial::follow(Path::new("none"), None);
        for piece in pieces {
            let before = serial.bytes.len();
            serial.bytes.extend_from_slice(piece.as_bytes());
            serial.scan(before);
        }
        serial
    }

    #[test]
    fn a_milestone_counts_once_when_its_line_is_complete() {
        let init = "[  1.0] preflight: milestone init\r\n";
        let cut = heard(&[init, "[  1.1] preflight: milestone sess"]);
        assert_eq!(cut.milestones, [Milestone::Init]);
        let whole = heard(&[
            init,
            "[  1.1] preflight: milestone sess",
            "ion\r\n",
            "more\n",
        ]);
        assert_eq!(whole.milestones, [Milestone::Init, Milestone::Session]);
    }

    #[test]
    fn a_panic_for_want_of_memory_is_told_apart_from_other_panics() {
        let oom = heard(&["Kernel panic - not syncing: System is deadlocked on memory\n"]);
        assert!(matches!(
            oom.kernel_failure(),
            Some(Outcome::OutOfMemory(_))
        ));
        let init = heard(&["\nKernel panic - not syncing: Attempted to kill init!\n"]);
        assert!(matches!(
            init.kernel_failure(),
            Some(Outcome::KernelPanic(_))
        ));
        assert_eq!(heard(&["all is well\n"]).kernel_failure(), None);
    }

    #[test]
    fn control_sequences_do_not_reach_the_text_even_in_pieces() {
        let serial = heard(&["\x1b[2J\x1b[1;", "1HHello\r\n\x1b(B", "x"]);
        assert_eq!(serial.text(), "Hello\nx");
    }
}
