use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use modules::ModuleName;
use storage::{DataPlace, Transport};

use super::coldplug::modaliases;
use super::guard::Guard;
use super::left_alone::Busy;
use super::module_loading::ModuleLoading;
use super::module_queue::ModuleQueue;
use super::uevent::{Event, Received, Socket};
use crate::systems::SilentDisks;

/// What is known about devices so far.
#[derive(Default)]
struct State {
    coldplugged: bool,
    last_event: Option<Instant>,
    /// Modules that are being loaded.
    loading: BTreeSet<String>,
    /// Disks that are being held read-only just now.
    holding: BTreeMap<String, Holding>,
    /// Disks that did not answer when they were looked for.
    silent: BTreeSet<String>,
    /// Modaliases without a module in the image, of devices that are there.
    without_module: BTreeSet<String>,
    /// What a person should read.
    messages: Vec<String>,
}

/// Somebody is at a disk to hold it read-only.
struct Holding {
    since: Instant,
    /// Something happened to the disk meanwhile.
    again: bool,
}

impl Holding {
    fn now() -> Self {
        Self {
            since: Instant::now(),
            again: false,
        }
    }
}

/// A disk that has not answered for so long may never do so: the slowest to spin up answer that they are not ready.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// Between two looks whether a thread is done.
const A_MOMENT: Duration = Duration::from_millis(10);

/// Makes devices ready for as long as the session runs: loads their modules, and sets every disk but the
/// stick read-only as it appears.
#[derive(Clone)]
pub struct Devices {
    state: Arc<Mutex<State>>,
    queue: Arc<ModuleQueue>,
    guard: Arc<Guard>,
}

impl Devices {
    /// Listens for events, and goes through what is there already. Each has a thread of its own, and so has every
    /// disk: one that hangs holds none of the others.
    pub fn start(command_line: &str, data: &DataPlace) -> Self {
        let devices = Self {
            state: Arc::default(),
            queue: Arc::default(),
            guard: Arc::new(Guard::new(data.clone())),
        };
        match Socket::open() {
            Ok(socket) => {
                let of_events = devices.clone();
                thread::spawn(move || of_events.follow(&socket));
            }
            Err(error) => {
                devices.complain(format!("devices that come later are not seen: {error}"));
            }
        }
        devices.hold_all();
        match ModuleLoading::new(devices.clone(), command_line) {
            Ok(loading) => {
                thread::spawn(move || loading.run());
            }
            Err(error) => {
                devices.complain(format!("no module can be loaded: {error}"));
                devices.queue.close();
                devices.all_seen_to();
            }
        }
        devices
    }

    /// Whether all devices that were there at the start have been seen to.
    pub fn coldplugged(&self) -> bool {
        self.state().coldplugged
    }

    /// Modules that are being loaded now.
    pub fn loading(&self) -> BTreeSet<String> {
        self.state().loading.clone()
    }

    /// Disks that are being held read-only just now: one that does not answer, for ever.
    pub fn holding(&self) -> Vec<String> {
        self.state().holding.keys().cloned().collect()
    }

    /// Tells looks at installed systems of the disks that still do not answer; gives those that are new among them.
    /// One that answers later is taken off the list.
    pub fn find_silent(&self) -> BTreeSet<String> {
        let mut state = self.state();
        let held_up = state.holding.iter();
        let held_up = held_up.filter(|(_, holding)| holding.since.elapsed() > SILENT_FOR);
        let silent: BTreeSet<String> = held_up.map(|(name, _)| name.clone()).collect();
        let new = silent.difference(&state.silent).cloned().collect();
        state.silent = silent;
        tell_of_silent(&mut state);
        new
    }

    /// Whether nothing goes on that came of an event.
    pub fn all_done(&self) -> bool {
        self.queue.is_done()
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
        let done = self.guard.leaving_alone(disk, patience, work)?;
        // What came of it meanwhile was passed over, and nothing may come any more.
        self.hold(disk);
        let started = Instant::now();
        while self.state().holding.contains_key(disk) && started.elapsed() < patience {
            thread::sleep(A_MOMENT);
        }
        Ok(done)
    }

    /// Holds every disk that the kernel has read-only, but the stick.
    pub fn hold_all(&self) {
        match storage::disks(Path::new("/sys")) {
            Ok(disks) => disks.iter().for_each(|disk| self.hold(&disk.name)),
            // A machine without any block device has no such folder.
            Err(error) => tracing::info!("{error}"),
        }
    }

    /// Whether the kernel has any disk.
    pub(super) fn has_disks(&self) -> bool {
        storage::disks(Path::new("/sys")).is_ok_and(|disks| !disks.is_empty())
    }

    /// What waits for its modules.
    pub(super) fn queue(&self) -> &ModuleQueue {
        &self.queue
    }

    /// Queues all devices that are there.
    pub(super) fn queue_all(&self) {
        self.queue.add(modaliases(Path::new("/sys/devices")));
    }

    /// Says that what was there at the start has been seen to.
    pub(super) fn all_seen_to(&self) {
        self.hold_all();
        let mut state = self.state();
        state.coldplugged = true;
        state.last_event = Some(Instant::now());
    }

    pub(super) fn begins_to_load(&self, name: &ModuleName) {
        self.state().loading.insert(name.to_string());
    }

    pub(super) fn has_loaded(&self, name: &ModuleName) {
        let mut state = self.state();
        state.loading.remove(name.as_str());
        state.last_event = Some(Instant::now());
    }

    pub(super) fn lacks_module(&self, modalias: &str) {
        self.state().without_module.insert(modalias.to_owned());
    }

    pub(super) fn complain(&self, message: String) {
        tracing::warn!("{message}");
        self.state().messages.push(message);
    }

    fn follow(&self, socket: &Socket) {
        loop {
            match socket.receive(Duration::from_secs(1)) {
                Received::Event(event) => self.handle(event),
                Received::Nothing => {}
                Received::Lost => {
                    self.queue_all();
                    self.hold_all();
                }
            }
        }
    }

    fn handle(&self, event: Event) {
        let appears = event.action == "add" || event.action == "change";
        if event.subsystem == "block" && appears {
            self.hold_after(event.device_name.as_deref());
        }
        if event.action == "add" {
            self.queue.add(event.modalias);
        }
        self.state().last_event = Some(Instant::now());
    }

    /// What a USB disk carries can show late (a partition table read again, a medium put in), so every
    /// event about a block device asks all of them anew.
    fn hold_after(&self, name: Option<&str>) {
        for disk in storage::disks(Path::new("/sys")).unwrap_or_default() {
            if Some(disk.name.as_str()) == name || disk.transport == Transport::Usb {
                self.hold(&disk.name);
            }
        }
    }

    /// In a thread of the disk's own, and only in one: what is seen last counts.
    fn hold(&self, disk: &str) {
        let mut state = self.state();
        if let Some(holding) = state.holding.get_mut(disk) {
            holding.again = true;
            return;
        }
        state.holding.insert(disk.to_owned(), Holding::now());
        let (devices, disk) = (self.clone(), disk.to_owned());
        thread::spawn(move || devices.hold_now(&disk));
    }

    fn hold_now(&self, disk: &str) {
        loop {
            let mut complain = |message| self.complain(message);
            self.guard.look_after(disk, &mut complain);
            let mut state = self.state();
            match state.holding.get_mut(disk) {
                Some(holding) if holding.again => {
                    *holding = Holding::now();
                }
                _ => {
                    state.holding.remove(disk);
                    state.last_event = Some(Instant::now());
                    if state.silent.remove(disk) {
                        tell_of_silent(&mut state);
                    }
                    return;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_of_silent(state: &mut State) {
    if let Err(error) = SilentDisks::of_this_boot().keep(&state.silent) {
        let message = format!(
            "a look at installed systems may wait for a disk that does not answer: {error}"
        );
        tracing::warn!("{message}");
        state.messages.push(message);
    }
}
