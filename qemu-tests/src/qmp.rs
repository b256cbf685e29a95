use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

/// QEMU's monitor (QMP specification: JSON, one object a line).
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    /// Things that QEMU said had happened, by their QMP names, in order.
    pub happened: Vec<String>,
}

impl Qmp {
    /// An answer that takes longer means that QEMU hangs.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Takes the greeting and leaves negotiation mode.
    pub(crate) fn greet(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(Self::PATIENCE))?;
        let mut qmp = Self {
            writer: stream.try_clone()?,
            reader: BufReader::new(stream),
            happened: Vec::new(),
        };
        qmp.line()?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Executes one command and waits for what it returns. QEMU's refusal is an error with its words.
    pub fn execute(&mut self, command: &str, arguments: Value) -> io::Result<Value> {
        let request = json!({"execute": command, "arguments": arguments});
        self.writer.write_all(format!("{request}\n").as_bytes())?;
        loop {
            let mut answer = self.line()?;
            if let Some(event) = answer["event"].as_str() {
                self.happened.push(event.to_owned());
            } else if let Some(error) = answer.get("error") {
                return Err(io::Error::other(format!("{command}: {}", error["desc"])));
            } else {
                return Ok(answer["return"].take());
            }
        }
    }

    fn line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "QEMU closed its monitor",
            ));
        }
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}
