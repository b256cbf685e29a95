use assess::{Assessment, Naming, NoNames, Options};
use hardware::{Machine, Names, RomReading, Source};
use storage::DataPlace;

/// Everything that one look brings.
pub struct Look {
    /// The judged machine.
    pub assessment: Assessment,
    /// The machine as read.
    pub machine: Machine,
    /// Kernel name of the disk that Preflight was booted from.
    pub boot_stick: Option<String>,
    /// The report in words.
    pub text: String,
    /// The report for programs.
    pub json: String,
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

/// Reads every option ROM there is. This comes before any module is loaded, so that nothing has touched a
/// card yet.
pub fn read_roms(
    source: &Source,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<RomReading>, hardware::Error> {
    let machine = hardware::read(source)?;
    Ok(hardware::rom::read_all(
        source,
        &machine.functions,
        &mut |address| {
            progress(&format!("reading the option ROM of {address}"));
        },
    ))
}

/// Reads and judges the machine.
pub fn look(source: &Source, data: &DataPlace, basis: &Basis) -> Result<Look, hardware::Error> {
    let mut machine = hardware::read(source)?;
    let boot_stick = boot_stick(data);
    if let Some(disk) = &boot_stick {
        machine.mark_boot_stick(disk);
    }
    Ok(Look {
        boot_stick,
        ..judge(machine, basis)
    })
}

/// Judges a machine that was read.
pub fn judge(machine: Machine, basis: &Basis) -> Look {
    let names = basis.names.map_or(&NoNames as &dyn Naming, |names| names);
    let assessment = assess::assess_with(&machine, basis.roms, names, basis.options);
    let text = report::text(&assessment, &report::TextOptions::default());
    let json = report::json(&assessment);
    Look {
        assessment,
        machine,
        boot_stick: None,
        text,
        json,
    }
}

/// Kernel name of the disk that Preflight itself came from.
fn boot_stick(data: &DataPlace) -> Option<String> {
    let stick = storage::find_stick(std::path::Path::new("/sys"), data).ok()??;
    Some(stick.disk)
}
