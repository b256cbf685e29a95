use assess::{Assessment, NoNames, Options};
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
