use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use crate::deadline::Milestone;
use crate::failure::Outcome;
use crate::process::words;

/// What comes over the serial line of a guest, as it comes, and its end to type on.
#[derive(Debug)]
pub struct Serial {
    line: UnixStream,
    heard: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
    plain: Plain,
    /// End of the last whole line that was looked at.
    scanned: usize,
    milestones: Vec<Milestone>,
    kernel_failure: Option<Outcome>,
}

/// How long the last bytes may take from a QEMU that has ended.
const REST: Duration = Duration::from_secs(5);

/// Words that a kernel prints when it has no memory left; the panic that may follow comes of it.
const OUT_OF_MEMORY: &[&str] = &[
    "Out of memory:",
    "deadlocked on memory",
    "invoked oom-killer",
];
const PANIC: &str = "Kernel panic - not syncing";
const INIT_ENDED: &str = "Attempted to kill init! exitcode=0x";
const MILESTONE: &str = "preflight: milestone ";

impl Serial {
    /// Listens on QEMU's end of the line, and copies what comes to `log`.
    ///
    /// A thread reads without pause: QEMU gives up a byte that nobody takes. Its own `logfile` is of no use
    /// here, since it has a byte twice when the line was full.
    pub(crate) fn listen(line: UnixStream, log: &Path) -> io::Result<Self> {
        let log = File::create(log)?;
        let reader = line.try_clone()?;
        reader.set_nonblocking(false)?;
        let (sender, heard) = mpsc::channel();
        thread::spawn(move || copy(reader, log, &sender));
        Ok(Self::new(line, heard))
    }

    fn new(line: UnixStream, heard: Receiver<Vec<u8>>) -> Self {
        Self {
            line,
            heard,
            bytes: Vec::new(),
            plain: Plain::default(),
            scanned: 0,
            milestones: Vec::new(),
            kernel_failure: None,
        }
    }

    /// Takes in what is new; the number of its bytes.
    pub(crate) fn read(&mut self) -> usize {
        let before = self.bytes.len();
        while let Ok(piece) = self.heard.try_recv() {
            self.bytes.extend(piece);
        }
        self.scan(before);
        self.bytes.len() - before
    }

    /// Takes in everything up to the end of the line, after QEMU has ended.
    pub(crate) fn read_rest(&mut self) {
        let before = self.bytes.len();
        while let Ok(piece) = self.heard.recv_timeout(REST) {
            self.bytes.extend(piece);
        }
        self.scan(before);
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
                // A line of the kernel may come right behind it.
                let name = rest
                    .split(|letter: char| !letter.is_ascii_lowercase())
                    .next();
                self.milestones.extend(name.and_then(Milestone::named));
            }
            if self.kernel_failure.is_none() {
                self.kernel_failure = kernel_failure(&line);
            }
        }
        self.scanned = end + 1;
    }

    /// Types some text into the guest.
    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        // Faster than a person types, the kernel drops characters while it prints.
        for byte in text.as_bytes() {
            self.line.write_all(&[*byte])?;
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Everything so far, without carriage returns and terminal control sequences.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.plain.text)
    }

    /// What programs have printed so far: the text without the kernel's log lines, which may come in the
    /// middle of a line.
    pub fn spoken(&self) -> String {
        let text = self.text();
        text.split_inclusive('\n')
            .map(|line| match log_record(line) {
                Some(start) => &line[..start],
                None => line,
            })
            .collect()
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
    if !line.contains(PANIC) {
        return None;
    }
    Some(match line.split_once(INIT_ENDED) {
        Some((_, code)) => Outcome::InitEnded(wait_status(code.trim())),
        None => Outcome::KernelPanic(line.to_owned()),
    })
}

/// A wait status in hex digits, in words (wait(2)).
fn wait_status(code: &str) -> String {
    match i32::from_str_radix(code, 16).map(ExitStatus::from_raw) {
        Ok(status) => words(status),
        Err(_) => format!("code {code}"),
    }
}

/// Where in the line the kernel's time stamp stands, `[    1.234567] `.
fn log_record(line: &str) -> Option<usize> {
    line.match_indices('[')
        .map(|(start, _)| start)
        .find(|start| {
            let Some((stamp, _)) = line[start + 1..].split_once("] ") else {
                return false;
            };
            let Some((seconds, micros)) = stamp.trim_start().split_once('.') else {
                return false;
            };
            let digits =
                |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            stamp.len() >= 12 && digits(seconds) && micros.len() == 6 && digits(micros)
        })
}

fn copy(mut line: UnixStream, mut log: File, sender: &Sender<Vec<u8>>) {
    let mut buffer = [0; 4096];
    // A line that breaks has ended like one that QEMU closes; its status tells the rest.
    while let Ok(length @ 1..) = line.read(&mut buffer) {
        let piece = buffer[..length].to_vec();
        if let Err(error) = log.write_all(&piece) {
            eprintln!("the serial log cannot be written: {error}");
        }
        if sender.send(piece).is_err() {
            return;
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
        let (line, _) = UnixStream::pair().unwrap();
        let mut serial = Serial::new(line, mpsc::channel().1);
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
    fn a_milestone_counts_when_the_kernel_speaks_in_the_middle_of_its_line() {
        let cut = heard(&["preflight: milestone init[    2.109005] tsc: Refined\n\n"]);
        assert_eq!(cut.milestones, [Milestone::Init]);
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
    fn a_byte_at_a_time_arrives_whole_and_is_logged() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serial.log");
        let (mut guest, host) = UnixStream::pair().unwrap();
        let mut serial = Serial::listen(host, &log).unwrap();
        let text = "[    1.000000] a line of the kernel\r\n".repeat(500);
        for byte in text.as_bytes() {
            guest.write_all(&[*byte]).unwrap();
        }
        drop(guest);
        serial.read_rest();
        assert!(serial.bytes() == text.as_bytes());
        assert_eq!(std::fs::read_to_string(&log).unwrap(), text);
    }

    #[test]
    fn a_log_line_in_the_middle_of_a_sentence_is_not_part_of_it() {
        let serial =
            heard(&["reads as all[    7.108384] preflight: milestone shown\n ones [x.y]\n"]);
        assert_eq!(serial.spoken(), "reads as all ones [x.y]\n");
    }

    #[test]
    fn control_sequences_do_not_reach_the_text_even_in_pieces() {
        let serial = heard(&["\x1b[2J\x1b[1;", "1HHello\r\n\x1b(B", "x"]);
        assert_eq!(serial.text(), "Hello\nx");
    }
}
