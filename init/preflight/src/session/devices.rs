use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use modules::{Index, Loader, ModuleName};
use storage::{DataPlace, Transport};

use super::coldplug::modaliases;
use super::guard::Guard;
use super::left_alone::Busy;
use super::uevent::{Event, Received, Socket};

/// Modules that no device asks for and the stick's file system needs.
const ALWAYS: &[&str] = &["vfat", "nls_cp437", "nls_iso8859_1"];

/// What is known about devices so far.
#[derive(Default)]
struct State {
    coldplugged: bool,
    last_event: Option<Instant>,
    /// The module that is being loaded: a driver can take long over a dying disk.
    loading: Option<String>,
    /// Modaliases without a module in the image, of devices that are there.
    without_module: BTreeSet<String>,
    /// What a person should read.
    messages: Vec<String>,
}

/// Makes devices ready for as long as the session runs: loads their modules, and sets every disk but the
/// stick read-only as it appears.
#[derive(Clone)]
pub struct Devices {
    state: Arc<Mutex<State>>,
    guard: Arc<Guard>,
}

struct Keeper {
    devices: Devices,
    loader: Option<Loader>,
    seen: BTreeSet<String>,
}

impl Devices {
    /// Listens for events, then goes through what is there already, in a thread of its own.
    pub fn start(command_line: &str, data: &DataPlace) -> Self {
        let devices = Self {
            state: Arc::default(),
            guard: Arc::new(Guard::new(data.clone())),
        };
        let loader = match find_modules() {
            Ok(index) => Some(Loader::new(index, parameters(command_line))),
            Err(error) => {
                devices.complain(format!("no module can be loaded: {error}"));
                None
            }
        };
        let keeper = Keeper {
            devices: devices.clone(),
            loader,
            seen: BTreeSet::new(),
        };
        let socket = Socket::open();
        if let Err(error) = &socket {
            devices.complain(format!("devices that come later are not seen: {error}"));
        }
        thread::spawn(move || keeper.run(socket.ok()));
        devices
    }

    /// Whether all devices that were there at the start have been seen to.
    pub fn coldplugged(&self) -> bool {
        self.state().coldplugged
    }

    /// The module that is being loaded now.
    pub fn loading(&self) -> Option<String> {
        self.state().loading.clone()
    }

    /// Time since the last event.
    pub fn quiet_for(&self) -> Duration {
        self.state()
            .last_event
            .map_or(Duration::ZERO, |event| event.elapsed())
    }

    /// What a person should read, each once.
    pub fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut self.state().messages)
    }

    /// Modaliases that no carried module answers, for the log.
    pub fn without_module(&self) -> Vec<String> {
        self.state().without_module.iter().cloned().collect()
    }

    /// Disks that are held read-only.
    pub fn guarded(&self) -> Vec<String> {
        self.guard.held()
    }

    /// Keeps the flags of this disk as they are while `work` changes its partitions. Nothing is done where it is
    /// being made ready for longer than `patience`.
    pub fn leaving_alone<T>(
        &self,
        disk: &str,
        patience: Duration,
        work: impl FnOnce() -> T,
    ) -> Result<T, Busy> {
        let mut complain = |message| self.complain(message);
        self.guard
            .leaving_alone(disk, patience, &mut complain, work)
    }

    fn guard(&self, disk: &str) {
        let mut complain = |message| self.complain(message);
        self.guard.look_after(disk, &mut complain);
    }

    fn complain(&self, message: String) {
        tracing::warn!("{message}");
        self.state().messages.push(message);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    fn run(mut self, socket: Option<Socket>) {
        self.go_through_all();
        self.devices.state().coldplugged = true;
        let Some(socket) = socket else { return };
        loop {
            match socket.receive(Duration::from_secs(1)) {
                Received::Event(event) => self.handle(&event),
                Received::Nothing => {}
                Received::Lost => self.go_through_all(),
            }
        }
    }

    fn go_through_all(&mut self) {
        for name in ALWAYS {
            self.load(&ModuleName::new(name));
        }
        // A driver may bring new devices whose own modules are needed in turn: again until nothing is new.
        loop {
            let new: Vec<String> = modaliases(Path::new("/sys/devices"))
                .difference(&self.seen)
                .cloned()
                .collect();
            if new.is_empty() {
                break;
            }
            for modalias in new {
                self.serve(&modalias);
            }
        }
        match storage::disks(Path::new("/sys")) {
            Ok(disks) => disks.iter().for_each(|disk| self.devices.guard(&disk.name)),
            // A machine without any block device has no such folder.
            Err(error) => tracing::info!("{error}"),
        }
        self.devices.state().last_event = Some(Instant::now());
    }

    fn handle(&mut self, event: &Event) {
        let appears = event.action == "add" || event.action == "change";
        if event.subsystem == "block" && appears {
            self.guard_after(event.device_name.as_deref());
        }
        if event.action == "add"
            && let Some(modalias) = &event.modalias
        {
            self.serve(modalias);
        }
        self.devices.state().last_event = Some(Instant::now());
    }

    /// What a USB disk carries can show late (a partition table read again, a medium put in), so every
    /// event about a block device asks all of them anew.
    fn guard_after(&self, name: Option<&str>) {
        for disk in storage::disks(Path::new("/sys")).unwrap_or_default() {
            if Some(disk.name.as_str()) == name || disk.transport == Transport::Usb {
                self.devices.guard(&disk.name);
            }
        }
    }

    fn serve(&mut self, modalias: &str) {
        if !self.seen.insert(modalias.to_owned()) {
            return;
        }
        let Some(loader) = &self.loader else { return };
        let wanted = loader.index().for_modalias(modalias);
        if wanted.is_empty() {
            self.devices
                .state()
                .without_module
                .insert(modalias.to_owned());
        }
        for name in wanted {
            self.load(&name);
        }
    }

    fn load(&mut self, name: &ModuleName) {
        let Some(loader) = &mut self.loader else {
            return;
        };
        self.devices.state().loading = Some(name.to_string());
        let results = loader.load(name);
        self.devices.state().loading = None;
        for result in results {
            match result {
                Ok(loaded) => {
                    tracing::debug!("module {} in {} ms", loaded.name, loaded.took.as_millis());
                }
                Err(error) => self.devices.complain(error.to_string()),
            }
        }
    }
}

fn find_modules() -> Result<Index, anyhow::Error> {
    let release = nix::sys::utsname::uname()?
        .release()
        .to_string_lossy()
        .into_owned();
    Ok(Index::read(&Path::new("/lib/modules").join(release))?)
}

/// `module.option=value` words of the kernel command line, by module.
fn parameters(command_line: &str) -> BTreeMap<ModuleName, String> {
    let mut found: BTreeMap<ModuleName, String> = BTreeMap::new();
    for word in command_line.split_whitespace() {
        let Some((module, option)) = word.split_once('.') else {
            continue;
        };
        let is_name = module
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if module == "preflight" || !is_name || option.is_empty() {
            continue;
        }
        let parameters = found.entry(ModuleName::new(module)).or_default();
        if !parameters.is_empty() {
            parameters.push(' ');
        }
        parameters.push_str(option);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_parameters_come_from_the_kernel_command_line() {
        let found = parameters(
            "root=/dev/x usb-storage.delay_use=0 usb_storage.quirks=a:b preflight.mode=off",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[&ModuleName::new("usb_storage")],
            "delay_use=0 quirks=a:b"
        );
    }
}
