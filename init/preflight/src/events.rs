//! A stream of JSON lines for whoever drives the machine: a virtio-serial port named
//! `org.preflight.events`, where a virtual machine has one.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use nix::libc;
use serde::Serialize;

use crate::patience::write_patiently;

/// A port without a reader is given up for a line after so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The end of the run waits so long for the last lines.
const LAST_WAIT: Duration = Duration::from_secs(5);

const PORT: &str = "org.preflight.events";

/// The way to the port. A thread does the writing, so that a slow or missing reader costs the run no time.
pub struct Events {
    lines: Sender<Message>,
}

enum Message {
    Line(String),
    /// Everything before this has been written or given up.
    Flushed(Sender<()>),
}

/// The port, once it is there; lines before that are kept.
#[derive(Default)]
struct Port {
    device: Option<File>,
    waiting: Vec<String>,
}

/// A place in the run that was reached.
#[derive(Serialize)]
struct Milestone<'a> {
    event: &'static str,
    name: &'a str,
    uptime_ms: u128,
}

impl Events {
    /// Starts the writing thread.
    pub fn start() -> Self {
        let (lines, received) = mpsc::channel();
        thread::spawn(move || {
            let mut port = Port::default();
            for message in received {
                match message {
                    Message::Line(line) => port.write(line),
                    Message::Flushed(done) => drop(done.send(())),
                }
            }
        });
        Self { lines }
    }

    /// Says that a place in the run was reached.
    pub fn milestone(&self, name: &str) {
        let uptime_ms = uptime().as_millis();
        self.send(&Milestone {
            event: "milestone",
            name,
            uptime_ms,
        });
    }

    /// Sends one document as a line.
    pub fn send(&self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(line) => drop(self.lines.send(Message::Line(line))),
            Err(error) => tracing::error!("an event has no JSON form: {error}"),
        }
    }

    /// Waits until all lines are written or given up, for a bounded time.
    pub fn flush(&self) {
        let (done, flushed) = mpsc::channel();
        if self.lines.send(Message::Flushed(done)).is_ok() {
            let _ = flushed.recv_timeout(LAST_WAIT);
        }
    }
}

impl Port {
    fn write(&mut self, line: String) {
        self.waiting.push(line);
        if self.device.is_none() {
            self.device = find_port(Path::new("/sys/class/virtio-ports"));
        }
        let Some(device) = &mut self.device else {
            return;
        };
        for line in self.waiting.drain(..) {
            // Nobody listening is no error of ours.
            let _ = write_patiently(device, format!("{line}\n").as_bytes(), PATIENCE);
        }
    }
}

/// Time since boot.
pub fn uptime() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)
        .map(Into::into)
        .unwrap_or_default()
}

fn find_port(ports: &Path) -> Option<File> {
    for entry in fs::read_dir(ports).ok()?.flatten() {
        let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if name.trim() == PORT {
            let node = Path::new("/dev").join(entry.file_name());
            return OpenOptions::new()
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(node)
                .ok();
        }
    }
    None
}
