use assess::{Assessment, NoNames, Options};
use hardware::rom::{self, Progress};
use hardware::{HostRole, Machine, Names, Reading, RomReading, Source};
use storage::DataPlace;

/// Everything that one look brings.
pub struct Look {
    /// The judged machine.
    pub assessment: Assessment,
    /// The machine as read.
    pub machine: Machine,
    /// The report in words.
    pub text: String,
    /// The report for programs.
    pub json: String,
}

/// Reads every copy of every option ROM. This comes before any module is loaded, so that nothing has
/// touched a card yet. `prom`: NVIDIA's flash through the cards' registers, too.
pub fn read_roms(
    source: &Source,
    prom: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<RomReading>, hardware::Error> {
    let functions = hardware::read(source)?.functions;
    let mut readings = rom::read_all(source, &functions, progress);
    if prom {
        let windows = functions
            .iter()
            .filter_map(|function| rom::read_prom(source, &functions, function, progress));
        readings.extend(windows);
    }
    Ok(readings)
}

/// Reads and judges the machine.
pub fn look(
    source: &Source,
    data: &DataPlace,
    roms: Option<&[RomReading]>,
    options: &Options,
) -> Result<Look, hardware::Error> {
    let mut machine = hardware::read(source)?;
    if source.is_live() {
        mark_stick(&mut machine, data);
    }
    let assessment = match Names::find() {
        Some(names) => assess::assess_with(&machine, roms, &names, options),
        None => assess::assess_with(&machine, roms, &NoNames, options),
    };
    let text = report::text(&assessment, &report::TextOptions::default());
    let json = report::json(&assessment);
    Ok(Look {
        assessment,
        machine,
        text,
        json,
    })
}

/// Tells the disk that Preflight itself came from apart from the host's own.
fn mark_stick(machine: &mut Machine, data: &DataPlace) {
    let Ok(Some(stick)) = storage::find_stick(std::path::Path::new("/sys"), data) else {
        return;
    };
    if let Reading::Known(devices) = &mut machine.host_devices {
        for device in devices
            .iter_mut()
            .filter(|device| device.name == stick.disk)
        {
            device.role = HostRole::BootStick;
        }
    }
}
