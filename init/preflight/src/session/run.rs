use std::path::PathBuf;
use std::time::Duration;

use assess::Assessment;
use hardware::rom::Progress;
use hardware::{Function, Names, Reading, RomReading, Source};
use proxmox::{Found, Systems};
use storage::PROGRAM_PATIENCE;

use super::devices::Devices;
use super::first_answer::FirstAnswer;
use super::grow::{self, Place};
use super::look::{self, Look};
use super::menu::Pages;
use super::result::RunResult;
use super::save::{self, NewFile, Saved};
use super::{
    Attempt, EXIT_POWER_OFF, EXIT_REBOOT, KeptReport, KeptRoms, capture, fault, menu, panic,
    randomness, settle, shell,
};
use crate::consoles::Consoles;
use crate::events::Events;
use crate::init::{Ending, cover};
use crate::log;
use crate::options::{self, Fault, Mode, Options};
use crate::systems::{Watched, installed_uses, on_disks_in_own_process, silent_disk_words};

/// Name of the capture in a run's folder.
const CAPTURE: &str = "capture.tar.zst";
/// The look at installed systems may take so long before the report is shown without it.
const SYSTEMS_WAIT: Duration = Duration::from_secs(60);
// One program that hangs leaves time to go on without it.
const _: () = assert!(PROGRAM_PATIENCE.as_secs() < SYSTEMS_WAIT.as_secs());
/// The same where somebody has come for the systems.
const RESCUE_WAIT: Duration = Duration::from_secs(600);
/// Columns of every screen and serial line.
const SCREEN: usize = 80;

struct Session {
    options: Options,
    attempt: Attempt,
    consoles: Consoles,
    events: Events,
    messages: Vec<String>,
}

/// The whole session; returns the exit status for PID 1.
pub fn run(attempt: Attempt) -> i32 {
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let (options, _) = options::parse(&command_line);
    log::start(options.log);
    panic::show_on_consoles();
    // To write a core the kernel waits for every thread, and one may hang; nobody would hear of the crash.
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        tracing::warn!("a crash may not be seen: {error}");
    }
    let mut session = Session {
        options,
        attempt,
        consoles: Consoles::open(),
        events: Events::start(),
        messages: Vec::new(),
    };
    match session.run(&command_line) {
        Ending::Reboot => EXIT_REBOOT,
        Ending::PowerOff => EXIT_POWER_OFF,
    }
}

impl Session {
    fn run(&mut self, command_line: &str) -> Ending {
        self.say(&format!("\nPreflight {}", env!("CARGO_PKG_VERSION")));
        self.milestone("session");
        let pages = match self.options.mode {
            Mode::Off => Pages::default(),
            Mode::Shell => {
                let _devices = self.devices(command_line);
                self.shells();
                Pages::default()
            }
            Mode::Rescue => {
                let pages = self.assess(command_line);
                self.shells();
                pages
            }
            Mode::Assess | Mode::Pristine => self.assess(command_line),
        };
        self.events.flush();
        let end = menu::choose_end(self.options.end, &pages, &mut self.consoles);
        self.say(match end {
            Ending::Reboot => "Restarting ...",
            Ending::PowerOff => "Switching off ...",
        });
        end
    }

    /// Looks, saves and shows.
    fn assess(&mut self, command_line: &str) -> Pages {
        if self.fault() == Some(Fault::NoFirmware)
            && let Err(error) = cover("/sys/firmware")
        {
            self.complain(format!("cannot cover /sys/firmware: {error}"));
        }
        let source = Source::live();
        self.say("Reading option ROMs, before anything else touches a card ...");
        let mut first = hardware::read(&source);
        let functions = first.as_ref().map(|machine| machine.functions.as_slice());
        let roms = functions.map(|functions| self.read_roms(&source, functions));
        let roms = roms.ok();
        if !self.attempt.is_first() {
            // What a reading that was cut off had changed on a card has been put back only now.
            first = hardware::read(&source);
        }
        self.milestone("roms");
        randomness::gather();
        let names = Names::find();
        match first {
            Ok(machine) => {
                let answer = FirstAnswer::of(machine, roms.as_deref(), names.as_ref());
                self.answer_first(&answer);
            }
            Err(error) => self.complain(format!(
                "the machine could not be read for its option ROMs and a first answer: {error}"
            )),
        }
        self.milestone("answered");
        let devices = self.devices(command_line);
        self.say("Reading the machine ...");
        let read = capture::read(&self.options.data);
        self.milestone("read");
        fault::after_reading(self.options.fault, self.attempt);
        self.messages.extend(devices.take_messages());
        match read {
            Ok(read) => {
                self.name_silent(&devices);
                let found = self.systems();
                let uses = match &found {
                    Some(found) => installed_uses(found),
                    None => Reading::Unknown("the look at the disks failed".into()),
                };
                let systems = found.map(|found| Systems::new(found, Some(read.machine())));
                let read = read.with_installed_uses(uses);
                let (look, capture) = read.judge(roms.as_deref(), names.as_ref(), false);
                let capture = match capture {
                    Ok(capture) => Some(capture.bytes),
                    Err(error) => {
                        self.complain(format!("no capture is saved: {error}"));
                        None
                    }
                };
                let roms = roms.as_deref().unwrap_or_default();
                let place = self.grow_stick(&devices);
                self.save_and_show(&source, &look, roms, capture, systems.as_ref(), place)
            }
            Err(error) => {
                let text = format!("The machine could not be read: {error}");
                self.complain(text.clone());
                self.send_result(None, &Err(anyhow::anyhow!("there is nothing to save")));
                Pages {
                    report: text,
                    systems: String::new(),
                }
            }
        }
    }

    /// The installed systems; none where the look failed, which is said.
    fn systems(&mut self) -> Option<Found> {
        let limit = match self.options.mode {
            Mode::Rescue => RESCUE_WAIT,
            _ => SYSTEMS_WAIT,
        };
        self.say("Looking at installed systems; nothing is written to their disks ...");
        let found = on_disks_in_own_process(&Watched {
            limit: Some(limit),
            ..Watched::default()
        })
        .map(|on_disks| on_disks.found);
        self.milestone("systems");
        found
            .map_err(|error| {
                self.complain(format!(
                    "the installed systems could not be looked at: {error:#}"
                ));
            })
            .ok()
    }

    fn read_roms(&mut self, source: &Source, functions: &[Function]) -> Vec<RomReading> {
        let fault = self.fault();
        let prom = self.options.prom;
        let (consoles, messages) = (&mut self.consoles, &mut self.messages);
        let roms = look::read_roms(source, functions, prom, &mut |progress| match progress {
            Progress::Copying(address, rom) => {
                consoles.line(&format!(
                    "  copying the option ROM of {address}: {}",
                    rom.words()
                ));
                fault::while_copying(fault, rom);
            }
            Progress::Note(text) => {
                tracing::warn!("{text}");
                consoles.line(&format!("Preflight: {text}"));
                messages.push(text);
            }
        });
        if let Err(error) = KeptRoms::of_this_boot().keep(&roms) {
            self.complain(format!(
                "a plan that is made on this stick does not know the option ROMs (give the card's with --rom): \
                 {error:#}"
            ));
        }
        roms
    }

    /// Before a driver that hangs can keep a person from any answer.
    fn answer_first(&mut self, answer: &FirstAnswer) {
        let kept = self.keep(&answer.report(SCREEN), &answer.json());
        let kept = kept.map(|path| path.display().to_string());
        let lines = answer.lines(kept.as_deref(), SCREEN);
        self.consoles.print(&lines);
    }

    /// For whoever asks in this boot; gives the place of the words.
    fn keep(&mut self, text: &str, json: &str) -> Option<PathBuf> {
        let kept = KeptReport::of_this_boot().keep(text, json);
        kept.map_err(|error| self.complain(format!("the report is not kept in memory: {error}")))
            .ok()
    }

    fn devices(&mut self, command_line: &str) -> Devices {
        self.say("Making disks, the stick and keyboards ready ...");
        let devices = Devices::start(command_line, &self.options.data);
        let data = self.options.data.clone();
        let late = settle::wait(&devices, &data, &mut || self.milestone("coldplug"));
        if let Some(reason) = late {
            self.complain(format!("not all devices are ready: {reason}"));
        }
        self.name_silent(&devices);
        self.milestone("settled");
        for message in devices.take_messages() {
            self.complain(message);
        }
        for modalias in devices.without_module() {
            tracing::debug!("no module for {modalias}");
        }
        let guarded = devices.guarded();
        if !guarded.is_empty() {
            self.say(&format!("Held read-only: {}", guarded.join(", ")));
        }
        devices
    }

    /// Tells a person and the looks of disks that do not answer.
    fn name_silent(&mut self, devices: &Devices) {
        for disk in devices.find_silent() {
            self.complain(silent_disk_words(&disk));
        }
    }

    fn save_and_show(
        &mut self,
        source: &Source,
        look: &Look,
        roms: &[RomReading],
        capture: Option<Vec<u8>>,
        systems: Option<&Systems>,
        place: anyhow::Result<()>,
    ) -> Pages {
        let (text, json) = (self.words(look), look.json());
        self.keep(&text, &json);
        self.milestone("assessed");
        self.milestone("saving");
        let page = systems.map_or_else(String::new, |systems| {
            report::systems_text(systems, &report::TextOptions::default())
        });
        let mut files = save::rom_files(&look.machine, roms);
        files.extend(capture.map(|bytes| (CAPTURE.to_owned(), bytes)));
        if let Some(systems) = systems {
            let json = report::systems_json(systems);
            files.push(("systems.txt".to_owned(), page.clone().into_bytes()));
            files.push(("systems.json".to_owned(), json.into_bytes()));
        }
        files.push(("report.txt".to_owned(), text.into_bytes()));
        files.push(("report.json".to_owned(), json.into_bytes()));
        let saved = place.and_then(|()| self.save(source, look, files));
        self.milestone(if saved.is_ok() { "saved" } else { "unsaved" });
        let mut shown = format!("\n{}\n", look.text());
        match &saved {
            Ok(saved) => shown.push_str(&saved.text(SCREEN)),
            Err(error) => {
                let text = format!("The report is NOT saved: {error:#}.");
                tracing::warn!("{text}");
                shown.push_str(&report::paragraph(&text, SCREEN));
            }
        }
        for message in &self.messages {
            shown.push_str(&report::paragraph(&format!("Note: {message}"), SCREEN));
        }
        // The report is longer than a screen: what stays in sight at its end is the answer again.
        shown.push_str("\nIn short:\n");
        for line in report::summary_lines(&look.assessment) {
            shown.push_str(&report::paragraph(&line, SCREEN));
        }
        for line in systems
            .map(report::systems_summary_lines)
            .unwrap_or_default()
        {
            shown.push_str(&report::paragraph(&line, SCREEN));
        }
        if self.options.mode == Mode::Rescue {
            self.consoles.print(&format!("\n{page}"));
        }
        self.consoles.print(&shown);
        self.milestone("shown");
        self.send_result(Some(&look.assessment), &saved);
        Pages {
            report: shown,
            systems: page,
        }
    }

    /// The report with what the run had to say.
    fn words(&self, look: &Look) -> String {
        let mut text = look.text();
        for message in &self.messages {
            let message = format!("During this run: {message}");
            text.push_str(&report::paragraph(&message, SCREEN));
        }
        text
    }

    fn save(&self, source: &Source, look: &Look, mut files: Vec<NewFile>) -> anyhow::Result<Saved> {
        let log = match hardware::kernel_log(source) {
            Reading::Known(text) => text,
            Reading::Absent => String::new(),
            Reading::Unknown(why) => format!("not read: {why}\n"),
        };
        files.push(("kernel.log".to_owned(), log.into_bytes()));
        let slow = self.fault() == Some(Fault::SlowSave);
        save::save(&self.options.data, &look.machine.board, &files, slow)
    }

    /// An error when nothing can be saved any more.
    fn grow_stick(&mut self, devices: &Devices) -> anyhow::Result<()> {
        let place = self.options.data.clone();
        let announce = || self.say("Making the stick's place for results larger ...");
        match grow::grow(&place, devices, announce) {
            Ok(Place::Larger(bytes)) => {
                let megabytes = bytes / 1_000_000;
                self.say(&format!(
                    "The stick's place for results now takes the rest of the stick: {megabytes} MB."
                ));
            }
            Ok(Place::NotWhole(error)) => self.complain(format!(
                "the stick's place for results is larger now, but its table is not wholly written; the next boot \
                 does that: {error:#}"
            )),
            Ok(Place::AsItWas) => {}
            Ok(Place::Unreachable(error)) => return Err(error),
            Err(error) => self.complain(format!(
                "the stick's place for results was not made larger: {error:#}"
            )),
        }
        Ok(())
    }

    fn send_result(&mut self, assessment: Option<&Assessment>, saved: &anyhow::Result<Saved>) {
        let result = RunResult::new(self.options.mode, assessment, saved, &self.messages);
        self.events.send(&result);
    }

    /// A shell on every console, until somebody leaves one of them.
    fn shells(&mut self) {
        let consoles = self.consoles.nodes();
        shell::on_every(&consoles, &mut |error| self.complain(format!("{error:#}")));
        self.consoles.reopen();
    }

    fn fault(&self) -> Option<Fault> {
        self.options.fault.filter(|_| self.attempt.is_first())
    }

    fn say(&mut self, text: &str) {
        self.consoles.line(text);
    }

    fn complain(&mut self, text: String) {
        tracing::warn!("{text}");
        self.consoles.line(&format!("Preflight: {text}"));
        self.messages.push(text);
    }

    fn milestone(&mut self, name: &str) {
        tracing::info!("milestone {name}");
        self.events.milestone(name);
    }
}
