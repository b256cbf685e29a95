use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vfio_user::Server;

use crate::device::{Device, Shared};
use crate::log::AccessLog;
use crate::regions::{Regions, interrupts};
use crate::{CardError, Function};

/// How long a card that is taken out waits for QEMU to let go of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A card that QEMU can be given. Ends when it is dropped; drop QEMU first, since a QEMU that loses its
/// card aborts.
#[derive(Debug)]
pub struct RunningCard {
    functions: Vec<RunningFunction>,
    shared: Shared,
}

/// One function of a card, and the thread that answers for it.
#[derive(Debug)]
pub struct RunningFunction {
    number: u8,
    socket: PathBuf,
    rom_file: Option<PathBuf>,
    thread: Option<JoinHandle<()>>,
}

impl RunningCard {
    pub(crate) const fn new(shared: Shared) -> Self {
        Self {
            functions: Vec::new(),
            shared,
        }
    }

    pub(crate) fn add(&mut self, function: RunningFunction) {
        self.functions.push(function);
    }

    /// Its functions, in the order of their numbers.
    pub fn functions(&self) -> &[RunningFunction] {
        &self.functions
    }

    /// What was done to it so far. A clone goes on after the card has ended.
    pub fn log(&self) -> &AccessLog {
        &self.shared.log
    }

    /// Values for QEMU's `-device`, in the order in which QEMU wants them: function 0 comes last. The
    /// card gets device number `device` of `bus`, and its functions the ids `id-fn0` and up.
    pub fn devices(&self, id: &str, bus: &str, device: u8) -> Vec<Value> {
        let multifunction = self.functions.len() > 1;
        let argument = |function: &RunningFunction| {
            let number = function.number;
            let mut value = json!({
                "driver": "vfio-user-pci",
                "id": format!("{id}-fn{number}"),
                "bus": bus,
                "addr": format!("{device:x}.{number:x}"),
                "multifunction": multifunction,
                "socket": {"type": "unix", "path": function.socket},
            });
            if let (Some(fields), Some(file)) = (value.as_object_mut(), &function.rom_file) {
                fields.insert("romfile".to_owned(), json!(file));
            }
            value
        };
        self.functions.iter().rev().map(argument).collect()
    }
}

impl Drop for RunningCard {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + PATIENCE;
        for function in &mut self.functions {
            function.stop(deadline);
        }
    }
}

impl RunningFunction {
    /// Function number.
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The vfio-user socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn start(
        number: u8,
        function: &Function,
        device: Device,
        folder: &Path,
    ) -> Result<Self, CardError> {
        let socket = folder.join(format!("fn{number}.sock"));
        let rom_file = write_rom(function, &folder.join(format!("fn{number}.rom")))?;
        let regions = Regions::new(function)?;
        let server =
            Server::new(&socket, true, interrupts(function), regions.table).map_err(|source| {
                CardError::Socket {
                    path: socket.clone(),
                    source,
                }
            })?;
        let memory = regions.memory;
        let thread = thread::spawn(move || {
            serve(&server, device);
            drop(memory);
        });
        Ok(Self {
            number,
            socket,
            rom_file,
            thread: Some(thread),
        })
    }

    fn stop(&mut self, deadline: Instant) {
        // The thread waits for a client: be one, and leave.
        let woken = UnixStream::connect(&self.socket);
        drop(woken);
        while let Some(thread) = self.thread.take() {
            if thread.is_finished() {
                if thread.join().is_err() {
                    eprintln!("{}: its thread ended with a panic", self.socket.display());
                }
            } else if Instant::now() < deadline {
                self.thread = Some(thread);
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Answers one client after the other, each on a card that was just powered on.
fn serve(server: &Server, mut device: Device) {
    while device.is_running() {
        let error = server.run(&mut device).err().map(|error| error.to_string());
        device.disconnected(error);
        device.power_on();
    }
}

fn write_rom(function: &Function, path: &Path) -> Result<Option<PathBuf>, CardError> {
    let Some(rom) = function.rom.as_ref().filter(|rom| rom.is_from_file()) else {
        return Ok(None);
    };
    fs::write(path, rom.bytes()).map_err(|source| CardError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some(path.to_owned()))
}
