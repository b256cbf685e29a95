//! Log lines go to the kernel log, so that they stand in order with the kernel's own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The node in the initramfs or in devtmpfs.
pub const KMSG: &str = "/dev/kmsg";

struct KernelLog;

/// One record: /dev/kmsg takes one a write.
struct Record {
    kmsg: Option<File>,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for KernelLog {
    type Writer = Record;

    fn make_writer(&'a self) -> Record {
        record("<6>")
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Record {
        record(match *meta.level() {
            Level::ERROR => "<3>",
            Level::WARN => "<4>",
            Level::INFO => "<6>",
            _ => "<7>",
        })
    }
}

fn record(priority: &str) -> Record {
    let kmsg = OpenOptions::new().write(true).open(KMSG).ok();
    Record {
        kmsg,
        text: format!("{priority}preflight: ").into_bytes(),
    }
}

impl Write for Record {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // The kernel cuts a record at about 1 KiB; a log that cannot be written has nowhere to complain.
        let length = self.text.len().min(900);
        if let (Some(kmsg), Some(text)) = (&mut self.kmsg, self.text.get(..length)) {
            let _ = kmsg.write_all(text);
        }
    }
}

/// Sends log lines up to `level` to the kernel log. A second call changes nothing.
pub fn start(level: Level) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(KernelLog)
        .with_max_level(level)
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .without_time()
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}
