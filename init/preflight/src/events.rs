//! A stream of JSON lines for whoever drives the machine: a virtio-serial port named
//! `org.preflight.events`, where a virtual machine has one.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::libc;
use serde::Serialize;

use crate::patience::write_patiently;

/// A port without a reader is given up for a line after so long.
const PATIENCE: Duration = Duration::from_secs(2);

const PORT: &str = "org.preflight.events";

/// The port, once it is there; lines before that are kept.
#[derive(Default)]
pub struct Events {
    port: Option<File>,
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
    /// Says that a place in the run was reached.
    pub fn milestone(&mut self, name: &str) {
        let uptime_ms = uptime().as_millis();
        self.send(&Milestone {
            event: "milestone",
            name,
            uptime_ms,
        });
    }

    /// Sends one document as a line.
    pub fn send(&mut self, document: &impl Serialize) {
        match serde_json::to_string(document) {
            Ok(line) => self.waiting.push(line),
            Err(error) => tracing::error!("an event has no JSON form: {error}"),
        }
        if self.port.is_none() {
            self.port = find_port(Path::new("/sys/class/virtio-ports"));
        }
        let Some(port) = &mut self.port else { return };
        for line in self.waiting.drain(..) {
            // Nobody listening is no error of ours.
            let _ = write_patiently(port, format!("{line}\n").as_bytes(), PATIENCE);
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
