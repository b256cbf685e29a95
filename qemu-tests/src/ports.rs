use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::boot::Wiring;
use crate::events::Events;
use crate::process::{Process, words};
use crate::qmp::Qmp;
use crate::serial::Serial;

/// How often a socket is looked at.
const PULSE: Duration = Duration::from_millis(20);

/// The sockets that QEMU connects to. We listen before it starts, so nothing it sends is lost; once it has
/// connected their folder is removed, so nothing stays even of a lab that is killed.
pub(crate) struct Ports {
    folder: TempDir,
    serial: UnixListener,
    events: UnixListener,
    monitor: UnixListener,
}

impl Ports {
    pub(crate) fn open() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("lab-").tempdir()?;
        let listen = |name: &str| {
            let listener = UnixListener::bind(folder.path().join(name))?;
            listener.set_nonblocking(true)?;
            Ok::<_, io::Error>(listener)
        };
        Ok(Self {
            serial: listen("serial")?,
            events: listen("events")?,
            monitor: listen("monitor")?,
            folder,
        })
    }

    pub(crate) fn wiring(&self) -> Wiring {
        let socket = |name: &str| {
            let path = self.folder.path().join(name).display().to_string();
            format!(
                "socket,id={name},path={},server=off",
                path.replace(',', ",,")
            )
        };
        Wiring {
            serial: ["-chardev", &socket("serial"), "-serial", "chardev:serial"]
                .map(str::to_owned)
                .to_vec(),
            events: socket("events"),
            monitor: Some(socket("monitor")),
        }
    }

    /// Waits until QEMU has connected to all of them. An error has QEMU's words when it ended instead.
    pub(crate) fn accept(self, logs: &Path, process: &mut Process) -> io::Result<Lines> {
        self.accept_all(logs, process)
            .map_err(|error| explained(error, process))
    }

    fn accept_all(self, logs: &Path, process: &mut Process) -> io::Result<Lines> {
        let serial = accept(&self.serial, process)?;
        let events = Events::listen(accept(&self.events, process)?)?;
        let monitor = accept(&self.monitor, process)?;
        monitor.set_nonblocking(false)?;
        Ok(Lines {
            serial: Serial::listen(serial, &logs.join("serial.log"))?,
            events,
            qmp: Qmp::greet(monitor)?,
        })
    }
}

/// The open lines to one QEMU.
pub(crate) struct Lines {
    pub(crate) serial: Serial,
    pub(crate) events: Events,
    pub(crate) qmp: Qmp,
}

/// Waits until QEMU connects.
fn accept(listener: &UnixListener, process: &mut Process) -> io::Result<UnixStream> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if process.ended()?.is_some() {
            return Err(io::Error::other("QEMU ended at once"));
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("QEMU does not open its monitor"));
        }
        thread::sleep(PULSE);
    }
}

/// `error` with what QEMU said, when the reason is that it has ended.
fn explained(error: io::Error, process: &mut Process) -> io::Error {
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline {
        if let Ok(Some(status)) = process.ended() {
            let said = process.said();
            return io::Error::other(format!(
                "{error}; QEMU ended with {}: {said}",
                words(status)
            ));
        }
        thread::sleep(PULSE);
    }
    error
}
