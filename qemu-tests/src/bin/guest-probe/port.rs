//! The virtio-serial port to the test.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use qemu_tests::probe::{Answer, Refusal};
use serde_json::json;

const NAME: &str = "org.preflight.events";
const PORTS: &str = "/sys/class/virtio-ports";

/// How long the port may take to appear after its driver was loaded.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens the port, once it is there.
pub(crate) fn open() -> anyhow::Result<File> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(device) = find() {
            let file = OpenOptions::new().write(true).open(&device);
            return file.with_context(|| device.clone());
        }
        if Instant::now() > deadline {
            bail!("there is no virtio-serial port {NAME}");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn find() -> Option<String> {
    for entry in fs::read_dir(PORTS).ok()?.flatten() {
        let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        let device = Path::new("/dev").join(entry.file_name());
        if name.trim() == NAME && device.exists() {
            return Some(device.display().to_string());
        }
    }
    None
}

/// Sends all answers as one event.
pub(crate) fn send(port: &mut File, answers: &[Result<Answer, Refusal>]) -> anyhow::Result<()> {
    let event = json!({"event": "answers", "answers": answers});
    port.write_all(format!("{event}\n").as_bytes())
        .context(NAME)
}
