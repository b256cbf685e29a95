use std::time::SystemTime;

use assess::Options;
use hardware::capture::{CaptureError, Details, Packed, Recording};
use hardware::{InstalledUse, Machine, Names, Reading, RomReading, Source};
use storage::DataPlace;

use super::look::{self, Basis, Look};

/// A machine that was read, with a record of all that was asked for.
pub struct ReadMachine {
    machine: Machine,
    recording: Recording,
    boot_stick: Option<String>,
    taken: SystemTime,
}

/// Reads this machine.
pub fn read(data: &DataPlace) -> Result<ReadMachine, hardware::Error> {
    let taken = SystemTime::now();
    let (source, recording) = Source::live().record();
    let (machine, boot_stick) = look::read(&source, data)?;
    Ok(ReadMachine {
        machine,
        recording,
        boot_stick,
        taken,
    })
}

impl ReadMachine {
    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// With what a look at its disks found of installed systems.
    pub fn with_installed_uses(mut self, uses: Reading<Vec<InstalledUse>>) -> Self {
        self.machine.installed_uses = uses;
        self
    }

    /// Judges it, and makes a capture of all that was read for it: from the capture comes the same
    /// assessment. `identifiers` keeps serial numbers, MAC addresses and UUIDs in it.
    pub fn judge(
        self,
        roms: Option<&[RomReading]>,
        names: Option<&Names>,
        identifiers: bool,
    ) -> (Look, Result<Packed, CaptureError>) {
        let basis = Basis {
            roms,
            names,
            options: &Options::default(),
        };
        let look = look::judge(self.machine, &basis);
        let packed = self.recording.pack(&Details {
            version: env!("CARGO_PKG_VERSION"),
            taken: self.taken,
            identifiers,
            machine: &look.machine,
            boot_stick: self.boot_stick.as_deref(),
            names,
            roms,
        });
        (look, packed)
    }
}
