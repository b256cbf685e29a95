use assess::{Assessment, Naming, NoNames, Options};
use hardware::rom::{self, Progress};
use hardware::{Function, Machine, Names, RomReading, Source};
use storage::DataPlace;

/// Everything that one look brings.
pub struct Look {
    /// The judged machine.
    pub assessment: Assessment,
    /// The machine as read.
    pub machine: Machine,
}

impl Look {
    /// The report in words.
    pub fn text(&self) -> String {
        report::text(&self.assessment, &report::TextOptions::default())
    }

    /// The report for programs.
    pub fn json(&self) -> String {
        report::json(&self.assessment)
    }
}

/// What a judgement stands on beside the machine.
pub struct Basis<'a> {
    /// Copies of option ROMs; none when nobody read any.
    pub roms: Option<&'a [RomReading]>,
    /// Names of devices.
    pub names: Option<&'a Names>,
    /// What the person asked for.
    pub options: &'a Options,
}

/// Reads every copy of every option ROM of these functions. This comes before any module is loaded, so that nothing
/// has touched a card yet. `prom`: NVIDIA's flash through the cards' registers, too.
pub fn read_roms(
    source: &Source,
    functions: &[Function],
    prom: bool,
    progress: &mut dyn FnMut(Progress),
) -> Vec<RomReading> {
    let mut readings = rom::read_all(source, functions, progress);
    if prom {
        let windows = functions
            .iter()
            .filter_map(|function| rom::read_prom(source, functions, function, progress));
        readings.extend(windows);
    }
    readings
}

/// Reads the machine, and tells the disk that Preflight itself was booted from, by its kernel name.
pub fn read(
    source: &Source,
    data: &DataPlace,
) -> Result<(Machine, Option<String>), hardware::Error> {
    let mut machine = hardware::read(source)?;
    let boot_stick = boot_stick(data);
    if let Some(disk) = &boot_stick {
        machine.mark_boot_stick(disk);
    }
    Ok((machine, boot_stick))
}

/// Judges a machine that was read.
pub fn judge(machine: Machine, basis: &Basis) -> Look {
    let names = basis.names.map_or(&NoNames as &dyn Naming, |names| names);
    let assessment = assess::assess_with(&machine, basis.roms, names, basis.options);
    Look {
        assessment,
        machine,
    }
}

/// Kernel name of the disk that Preflight itself came from.
fn boot_stick(data: &DataPlace) -> Option<String> {
    let stick = storage::find_stick(std::path::Path::new("/sys"), data).ok()??;
    Some(stick.disk)
}
