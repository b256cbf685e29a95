use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::boot::{Boot, empty_folder};
use crate::deadline::{Deadlines, Milestone};
use crate::events::{Events, RunResult};
use crate::failure::{Failure, Outcome};
use crate::guests::Turn;
use crate::images::output_folder;
use crate::machine::Machine;
use crate::ports::Ports;
use crate::probe::{Answer, Refusal};
use crate::process::{Process, words};
use crate::qemu::Qemu;
use crate::qmp::Qmp;
use crate::screen;
use crate::serial::Serial;

/// How often the guest is looked at.
const PULSE: Duration = Duration::from_millis(20);

/// Lines of the serial log that a failure quotes.
const QUOTED: usize = 30;

/// A guest that runs. Dropping it ends QEMU and checks that it is gone; the logs stay when something
/// failed, or when `PREFLIGHT_KEEP_LOGS` is set.
#[derive(Debug)]
pub struct Run {
    name: String,
    process: Process,
    serial: Serial,
    events: Events,
    qmp: Qmp,
    deadlines: Deadlines,
    waited: BTreeMap<Milestone, usize>,
    last: Option<Milestone>,
    heard: Instant,
    failed: bool,
    logs: PathBuf,
    /// Its cards live until QEMU, which aborts without them, has ended.
    _machine: Machine,
    _turn: Turn,
}

impl Run {
    pub(crate) fn start(mut boot: Boot, qemu: &Qemu) -> Result<Self, Failure> {
        let name = boot.name.clone();
        let failure = |error: io::Error| Boot::failure(&name, error);
        let turn = Turn::wait(&output_folder().join("lab")).map_err(failure)?;
        let logs = boot.logs();
        empty_folder(&logs).map_err(failure)?;
        boot.prepare().map_err(failure)?;
        let ports = Ports::open().map_err(failure)?;
        let mut command = boot.command(qemu, &ports.wiring());
        let mut process = Process::start(&mut command, &logs.join("qemu.log")).map_err(failure)?;
        let lines = ports.accept(&logs, &mut process).map_err(failure)?;
        Ok(Self {
            serial: lines.serial,
            name,
            process,
            events: lines.events,
            qmp: lines.qmp,
            deadlines: boot.deadlines,
            waited: BTreeMap::new(),
            last: None,
            heard: Instant::now(),
            failed: false,
            logs,
            _machine: boot.machine,
            _turn: turn,
        })
    }

    /// Waits until the session passes `milestone`. Everything that comes before it in a session then counts
    /// as passed: to wait for one of those is to wait for a new session.
    pub fn wait_milestone(&mut self, milestone: Milestone) -> Result<(), Failure> {
        let allowed = self.deadlines.until(milestone, self.last);
        let before = self.waited.get(&milestone).copied().unwrap_or(0);
        let alternative = milestone
            .alternative()
            .map(|other| (other, self.passed(other)));
        self.wait(&format!("milestone {milestone}"), allowed, |run| {
            if run.passed(milestone) > before {
                return Some(Ok(()));
            }
            let (other, earlier) = alternative?;
            (run.passed(other) > earlier)
                .then(|| Err(Outcome::Instead(format!("milestone {other}"))))
        })?;
        for earlier in Milestone::up_to(milestone) {
            self.waited.insert(earlier, self.passed(earlier));
        }
        self.last = Some(milestone);
        Ok(())
    }

    /// Waits for the result of the session.
    pub fn result(&mut self) -> Result<RunResult, Failure> {
        let allowed = self.deadlines.until(Milestone::End, self.last);
        self.wait("the result", allowed, |run| {
            run.events.take_result().map(Ok)
        })
    }

    /// Waits for what a guest with the image of [`probe`](crate::probe) answers.
    pub fn answers(&mut self) -> Result<Vec<Result<Answer, Refusal>>, Failure> {
        let allowed = self.deadlines.until(Milestone::End, self.last);
        self.wait("the answers", allowed, |run| {
            run.events.take_answers().map(Ok)
        })
    }

    /// Waits until the guest has ended by itself, orderly.
    pub fn wait_end(&mut self) -> Result<(), Failure> {
        let allowed = self.deadlines.until(Milestone::End, self.last);
        match self.wait("the end", allowed, |_| None::<Result<(), Outcome>>) {
            Err(failure) if failure.outcome == Outcome::NoVerdict => {
                self.failed = false;
                Ok(())
            }
            other => other,
        }
    }

    /// Waits until `text` stands on the serial line. `allowed` is for the reference machine.
    pub fn wait_text(&mut self, text: &str, allowed: Duration) -> Result<(), Failure> {
        let allowed = self.deadlines.of(allowed);
        self.wait(&format!("the text '{text}'"), allowed, |run| {
            let heard = run.serial.text().contains(text) || run.serial.spoken().contains(text);
            heard.then_some(Ok(()))
        })
    }

    /// Waits until `text` stands on the VGA text screen.
    pub fn wait_screen(&mut self, text: &str, allowed: Duration) -> Result<(), Failure> {
        let allowed = self.deadlines.of(allowed);
        self.wait(
            &format!("'{text}' on the screen"),
            allowed,
            |run| match run.screen_text() {
                Ok(screen) => screen.contains(text).then_some(Ok(())),
                Err(error) => Some(Err(Outcome::Lab(error.to_string()))),
            },
        )
    }

    /// Waits for what `look` finds; it is asked at every pulse, and once more after the guest has ended.
    pub fn wait<T>(
        &mut self,
        what: &str,
        allowed: Duration,
        mut look: impl FnMut(&mut Self) -> Option<Result<T, Outcome>>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        loop {
            // Asked first: what it wrote before it ended is then read below.
            let ended = self.process.ended();
            let outcome = match self.take_in(matches!(ended, Ok(Some(_)))) {
                Err(error) => Some(Outcome::Lab(error)),
                Ok(()) => match look(self) {
                    Some(Ok(found)) => return Ok(found),
                    Some(Err(outcome)) => Some(outcome),
                    None => self.serial.kernel_failure(),
                },
            };
            let outcome = outcome.or_else(|| match ended {
                Ok(Some(status)) if status.success() => Some(Outcome::NoVerdict),
                Ok(Some(status)) => Some(Outcome::QemuDied {
                    status: words(status),
                    said: self.process.said(),
                }),
                Ok(None) if started.elapsed() > allowed => Some(Outcome::Timeout(allowed)),
                Ok(None) if self.heard.elapsed() > self.deadlines.silence() => {
                    Some(Outcome::Silent(self.heard.elapsed()))
                }
                Ok(None) => None,
                Err(error) => Some(Outcome::Lab(error.to_string())),
            });
            if let Some(outcome) = outcome {
                return Err(self.failure(what, outcome));
            }
            thread::sleep(PULSE);
        }
    }

    /// A failure of this run with everything there is to say about it. Its logs are kept.
    pub fn failure(&mut self, waiting_for: &str, outcome: Outcome) -> Failure {
        self.failed = true;
        let machine_state = self
            .qmp
            .execute("query-status", json!({}))
            .ok()
            .and_then(|status| status["status"].as_str().map(str::to_owned));
        if machine_state.is_some() {
            // A machine without a display has nothing to dump.
            let _ = self.screendump(&self.logs.join("screen.ppm"));
        }
        let failure = Failure {
            run: self.name.clone(),
            waiting_for: waiting_for.to_owned(),
            outcome,
            machine_state,
            last_lines: self.serial.last_lines(QUOTED),
            logs: self.logs.clone(),
        };
        let _ = std::fs::write(self.logs.join("failure.txt"), format!("{failure}\n"));
        failure
    }

    /// Types text on the serial line.
    pub fn type_text(&mut self, text: &str) -> Result<(), Failure> {
        self.heard = Instant::now();
        self.serial
            .write(text)
            .map_err(|error| self.failure("typing", Outcome::Lab(error.to_string())))
    }

    /// Pulls the stick out.
    pub fn pull_stick(&mut self) -> Result<(), Failure> {
        self.qmp("device_del", json!({"id": "stick"})).map(drop)
    }

    /// Waits until the guest has written to the stick.
    pub fn wait_stick_write(&mut self) -> Result<(), Failure> {
        let allowed = self.deadlines.until(Milestone::Saved, self.last);
        self.wait("a write to the stick", allowed, |run| {
            let answer = run.qmp.execute("query-blockstats", json!({}));
            let disks = match answer {
                Ok(disks) => disks,
                Err(error) => return Some(Err(Outcome::Lab(error.to_string()))),
            };
            // Writes are counted where the guest's device meets the disk, not at the node.
            let written = |disk: &Value| {
                disk["node-name"] == "stick-disk" && disk["stats"]["wr_bytes"].as_u64() > Some(0)
            };
            disks.as_array()?.iter().any(written).then_some(Ok(()))
        })
    }

    /// Executes a command of QEMU's monitor.
    pub fn qmp(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        self.qmp
            .execute(command, arguments)
            .map_err(|error| self.failure(command, Outcome::Lab(error.to_string())))
    }

    /// The text on the VGA screen, with what has scrolled up as far as VGA memory holds it.
    pub fn screen_text(&mut self) -> io::Result<String> {
        let path = self.logs.join("text-memory.bin");
        self.qmp.execute(
            "pmemsave",
            json!({"val": screen::TEXT_MEMORY, "size": screen::TEXT_MEMORY_LENGTH, "filename": path}),
        )?;
        Ok(screen::text(&std::fs::read(path)?))
    }

    /// A picture of the screen, as PPM.
    pub fn screendump(&mut self, path: &Path) -> io::Result<()> {
        self.qmp
            .execute("screendump", json!({"filename": path}))
            .map(drop)
    }

    /// The serial line.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// How long it may take.
    pub fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    /// The process group of its QEMU.
    pub fn process_group(&self) -> i32 {
        self.process.group()
    }

    /// Whether the session has passed `milestone` so far.
    pub fn has_passed(&self, milestone: Milestone) -> bool {
        self.passed(milestone) > 0
    }

    fn passed(&self, milestone: Milestone) -> usize {
        let logged = self.serial.count(milestone);
        logged.max(self.events.count(milestone))
    }

    fn take_in(&mut self, ended: bool) -> Result<(), String> {
        if ended {
            self.serial.read_rest();
        }
        if self.serial.read() > 0 {
            self.heard = Instant::now();
        }
        self.events.read()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let ended = self.process.end();
        if let Err(error) = &ended {
            eprintln!("{}: {error}", self.name);
        }
        let wanted = std::env::var_os("PREFLIGHT_KEEP_LOGS").is_some();
        if wanted || self.failed || ended.is_err() || thread::panicking() {
            let _ = self.take_in(true);
            let _ = std::fs::write(self.logs.join("events.jsonl"), self.events.log());
        } else {
            let _ = std::fs::remove_dir_all(&self.logs);
        }
    }
}
