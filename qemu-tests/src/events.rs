use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;

use serde::Deserialize;
use serde_json::Value;

use crate::deadline::Milestone;
use crate::probe::{Answer, Refusal};

/// One file that the guest says it has saved.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SavedFile {
    /// Path below the run's folder.
    pub path: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

/// Where the guest says it has saved its results.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Saved {
    /// Folder on the stick's file system.
    pub folder: String,
    /// The files in it.
    pub files: Vec<SavedFile>,
}

/// The verdict of one session (`preflight.run/1`), as it came out of the guest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RunResult {
    /// `preflight.run/1`.
    pub schema: String,
    /// The mode that ran.
    pub mode: String,
    /// The assessment, as JSON: tests look at the contract, not at our own types.
    #[serde(default)]
    pub assessment: Value,
    /// What is on the stick; none when nothing could be saved.
    pub saved: Option<Saved>,
    /// Why nothing, or not all, was saved.
    pub save_error: Option<String>,
    /// What the session told the person besides the report.
    #[serde(default)]
    pub messages: Vec<String>,
}

/// The event port of a guest: JSON lines over virtio-serial.
#[derive(Debug)]
pub(crate) struct Events {
    port: UnixStream,
    pending: Vec<u8>,
    log: Vec<String>,
    milestones: BTreeMap<&'static str, usize>,
    result: Option<RunResult>,
    answers: Option<Vec<Result<Answer, Refusal>>>,
}

impl Events {
    pub(crate) fn listen(port: UnixStream) -> io::Result<Self> {
        port.set_nonblocking(true)?;
        Ok(Self {
            port,
            pending: Vec::new(),
            log: Vec::new(),
            milestones: BTreeMap::new(),
            result: None,
            answers: None,
        })
    }

    /// Takes in what is new. A line that is no event is an error with that line.
    pub(crate) fn read(&mut self) -> Result<(), String> {
        let mut buffer = [0; 4096];
        loop {
            match self.port.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => self.pending.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => return Err(format!("event port: {error}")),
            }
        }
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.take(&line)?;
            self.log.push(line);
        }
        Ok(())
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let wrong = |why: String| format!("event port: {why} in the line '{line}'");
        let mut event: Value =
            serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        match event["event"].as_str() {
            Some("milestone") => {
                let name = event["name"].as_str().unwrap_or_default();
                let milestone = Milestone::named(name)
                    .ok_or_else(|| wrong(format!("unknown milestone '{name}'")))?;
                *self.milestones.entry(milestone.name()).or_default() += 1;
            }
            Some("result") => {
                let result =
                    serde_json::from_value(event).map_err(|error| wrong(error.to_string()))?;
                self.result = Some(result);
            }
            Some("answers") => {
                let answers = serde_json::from_value(event["answers"].take());
                self.answers = Some(answers.map_err(|error| wrong(error.to_string()))?);
            }
            _ => return Err(wrong("neither a milestone nor a result".to_owned())),
        }
        Ok(())
    }

    /// How often this milestone was reported.
    pub(crate) fn count(&self, milestone: Milestone) -> usize {
        self.milestones.get(milestone.name()).copied().unwrap_or(0)
    }

    /// Takes the last result out.
    pub(crate) fn take_result(&mut self) -> Option<RunResult> {
        self.result.take()
    }

    /// Takes out what a guest that was asked has answered.
    pub(crate) fn take_answers(&mut self) -> Option<Vec<Result<Answer, Refusal>>> {
        self.answers.take()
    }

    /// Every line so far.
    pub(crate) fn log(&self) -> String {
        self.log.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn events() -> (UnixStream, Events) {
        let (guest, host) = UnixStream::pair().unwrap();
        (guest, Events::listen(host).unwrap())
    }

    #[test]
    fn a_result_may_come_in_two_pieces() {
        let (mut guest, mut events) = events();
        guest
            .write_all(br#"{"event":"result","schema":"preflight.run/1","mo"#)
            .unwrap();
        events.read().unwrap();
        assert_eq!(events.take_result(), None);
        guest
            .write_all(b"de\":\"assess\",\"saved\":null,\"save_error\":\"no stick\"}\n")
            .unwrap();
        events.read().unwrap();
        let result = events.take_result().unwrap();
        assert_eq!(result.mode, "assess");
        assert_eq!(result.save_error.as_deref(), Some("no stick"));
    }

    #[test]
    fn a_line_that_is_no_event_is_shown_whole() {
        let (mut guest, mut events) = events();
        guest.write_all(b"{\"event\":\"party\"}\n").unwrap();
        assert!(events.read().unwrap_err().contains("party"));
    }
}
