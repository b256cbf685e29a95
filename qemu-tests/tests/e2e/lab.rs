//! What every test starts from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use qemu_tests::{
    Boot, Deadlines, Failure, Images, Machine, Milestone, Qemu, Run, RunResult, Stick, baseline,
};
use tempfile::TempDir;

/// Room for a screen of text to come over the serial line.
pub const A_MOMENT: Duration = Duration::from_secs(20);

/// A QEMU, the image, and a folder for the disks of one machine.
pub struct Lab {
    pub qemu: Qemu,
    pub images: Images,
    pub deadlines: Deadlines,
    /// The ROM file that graphics cards in these tests are given.
    pub card_rom: PathBuf,
    folder: TempDir,
}

/// One session that ran to its end.
pub struct Session {
    pub result: RunResult,
    /// What the session said on the serial line.
    pub serial: String,
}

impl Lab {
    /// The lab, or nothing and the reason printed.
    pub fn open() -> Option<Self> {
        let opened = || -> Result<Self, String> {
            let images = Images::unpacked()?;
            let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
            let card_rom = qemu_tests::card_rom(&qemu).map_err(|error| error.to_string())?;
            let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
            let deadlines = baseline::deadlines(&qemu, &images.kernel, init)
                .map_err(|failure| failure.to_string())?;
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            Ok(Self {
                qemu,
                images,
                deadlines,
                card_rom,
                folder,
            })
        };
        opened().map_err(|why| qemu_tests::skip(&why)).ok()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A boot that powers the machine off when it is done.
    pub fn boot(&self, name: &str, machine: Machine) -> Boot {
        Boot::new(name, &self.images, machine)
            .deadlines(self.deadlines)
            .option("preflight.end=poweroff")
    }

    pub fn start(&self, boot: Boot) -> Run {
        boot.start(&self.qemu).unwrap()
    }

    /// Runs a session from power on to power off.
    pub fn look(&self, boot: Boot) -> Session {
        finish(&mut self.start(boot)).unwrap()
    }
}

/// Waits for the result of a session and for the machine to power off.
pub fn finish(run: &mut Run) -> Result<Session, Failure> {
    run.wait_milestone(Milestone::Shown)?;
    let result = run.result()?;
    run.wait_end()?;
    Ok(Session {
        result,
        serial: run.serial().spoken(),
    })
}

impl Session {
    /// A saved file of this session.
    pub fn file(&self, stick: &Stick, path: &str) -> Vec<u8> {
        let saved = self.result.saved.as_ref().unwrap();
        stick.file(&format!("{}/{path}", saved.folder)).unwrap()
    }

    /// The report as it was saved.
    pub fn report(&self, stick: &Stick) -> String {
        String::from_utf8(self.file(stick, "report.txt")).unwrap()
    }

    /// The function of the assessment at this address.
    pub fn function(&self, address: &str) -> &serde_json::Value {
        let functions = self.result.assessment["functions"].as_array().unwrap();
        functions
            .iter()
            .find(|function| function["address"] == address)
            .unwrap_or_else(|| panic!("no function {address} in {functions:#?}"))
    }

    /// The verdict of the card that has this function.
    pub fn verdict(&self, address: &str) -> &str {
        let cards = self.result.assessment["cards"].as_array().unwrap();
        let has = |card: &&serde_json::Value| {
            let functions = card["functions"].as_array().unwrap();
            functions.iter().any(|function| function == address)
        };
        cards.iter().find(has).unwrap()["verdict"].as_str().unwrap()
    }
}

/// The first sentences of a report: its first line with the lines that continue it.
pub fn first_line(report: &str) -> String {
    let mut lines = report.lines();
    let mut first = lines.next().unwrap_or_default().to_owned();
    for line in lines.take_while(|line| line.starts_with(' ')) {
        first.push(' ');
        first.push_str(line.trim());
    }
    first
}

/// Text as it stands on the serial line somewhere, however its lines were broken.
pub fn says(serial: &str, words: &str) -> bool {
    let letters = |text: &str| text.split_whitespace().collect::<String>();
    letters(serial).contains(&letters(words))
}

/// The same in the report of the last session: behind its first answer, which has the report's first lines, too.
pub fn reports(serial: &str, words: &str) -> bool {
    let report = serial.rsplit_once("Making disks");
    report.is_some_and(|(_, report)| says(report, words))
}
