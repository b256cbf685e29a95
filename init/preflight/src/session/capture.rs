use std::time::SystemTime;

use hardware::capture::{CaptureError, Details, Packed};
use hardware::{Names, RomReading, Source};
use storage::DataPlace;

use super::look::{self, Look};

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
    let look = look::look(&source, data, roms, names.as_ref())?;
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
