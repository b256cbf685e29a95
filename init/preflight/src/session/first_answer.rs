use assess::Options;
use hardware::{Machine, Names, RomReading};

use super::look::{self, Basis, Look};

/// The machine's own part of the answer, from before any module is loaded for a disk or keyboard. No disk is asked
/// for it.
pub struct FirstAnswer(Look);

impl FirstAnswer {
    /// Judges the machine as it was read first.
    pub fn of(machine: Machine, roms: Option<&[RomReading]>, names: Option<&Names>) -> Self {
        let options = &Options::default();
        let basis = Basis {
            roms,
            names,
            options,
        };
        Self(look::judge(machine, &basis))
    }

    /// For every console, in lines of at most `columns`. `kept`: where the whole report is.
    pub fn lines(&self, kept: Option<&str>, columns: usize) -> String {
        let mut text = "\nFirst answer, before disks and keyboards are made ready:\n".to_owned();
        for line in report::summary_lines(&self.0.assessment) {
            text.push_str(&report::paragraph(&line, columns));
        }
        let mut rest = CAN_CHANGE.to_owned();
        if let Some(place) = kept {
            rest.push_str(&format!(" What is known until then is in {place}."));
        }
        text.push('\n');
        text.push_str(&report::paragraph(&rest, columns));
        text
    }

    /// The whole report, and what it is from.
    pub fn report(&self, columns: usize) -> String {
        let mut text = report::paragraph(BEFORE, columns);
        text.push('\n');
        text.push_str(&self.0.text());
        text
    }

    /// The same for programs.
    pub fn json(&self) -> String {
        self.0.json()
    }
}

const CAN_CHANGE: &str =
    "Disks, keyboards and network cards that are in use can still change it; the report follows.";
const BEFORE: &str = "From before disks and keyboards were made ready: what is in use for them, and what is installed \
                      on the disks, is not in this report.";
