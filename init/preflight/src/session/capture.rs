use std::time::SystemTime;

use assess::Options;
use hardware::capture::{CaptureError, Details, Packed};
use hardware::{Names, RomReading, Source};
use storage::DataPlace;

use super::look::{self, Basis, Look};

/// Reads and judges this machine, and makes a capture of all that was read for it: from the capture comes
/// the same assessment. `identifiers` keeps serial numbers, MAC addresses and UUIDs in it.
pub fn look(
    data: &DataPlace,
    roms: Option<&[RomReading]>,
    identifiers: bool,
) -> Result<(Look, Result<Packed, CaptureError>), hardware::Error> {
    let names = Names::find();
    let taken = SystemTime::now();
    let (source, recording) = Source::live().record();
    let basis = Basis {
        roms,
        names: names.as_ref(),
        options: &Options::default(),
    };
    let look = look::look(&source, data, &basis)?;
    let packed = recording.pack(&Details {
        version: env!("CARGO_PKG_VERSION"),
        taken,
        identifiers,
        machine: &look.machine,
        boot_stick: look.boot_stick.as_deref(),
        names: names.as_ref(),
        roms,
    });
    Ok((look, packed))
}
