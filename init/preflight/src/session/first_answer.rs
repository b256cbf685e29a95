use assess::Options;
use hardware::{Names, RomReading, Source};

use super::look::{self, Basis};

/// What is known of the cards before any module is loaded for a disk or keyboard, in lines of at most `columns`: the
/// machine's own part of the answer. No disk is asked for it.
pub fn text(
    source: &Source,
    roms: Option<&[RomReading]>,
    columns: usize,
) -> Result<String, hardware::Error> {
    let machine = hardware::read(source)?;
    let names = Names::find();
    let basis = Basis {
        roms,
        names: names.as_ref(),
        options: &Options::default(),
    };
    let look = look::judge(machine, &basis);
    let mut text = "\nFirst answer, before disks and keyboards are made ready:\n".to_owned();
    for line in report::summary_lines(&look.assessment) {
        text.push_str(&report::paragraph(&line, columns));
    }
    text.push('\n');
    text.push_str(&report::paragraph(REST, columns));
    Ok(text)
}

const REST: &str =
    "Disks, keyboards and network cards that are in use can still change it; the report follows.";
