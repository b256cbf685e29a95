use assess::Options;
use hardware::{Names, RomReading, Source};
use storage::DataPlace;

use super::look::{self, Basis};

/// What is known of the cards before any module is loaded, in lines of at most `columns`: the machine's own part of
/// the answer. A disk, a keyboard or a network card that is in use can still stand against it.
pub fn text(
    source: &Source,
    data: &DataPlace,
    roms: Option<&[RomReading]>,
    columns: usize,
) -> Result<String, hardware::Error> {
    let (machine, _) = look::read(source, data)?;
    let names = Names::find();
    let basis = Basis {
        roms,
        names: names.as_ref(),
        options: &Options::default(),
    };
    let look = look::judge(machine, &basis);
    let mut text = "\nFirst answer, from before any driver has run:\n".to_owned();
    for line in report::summary_lines(&look.assessment) {
        text.push_str(&report::paragraph(&line, columns));
    }
    text.push_str(&report::paragraph(REST, columns));
    text.push('\n');
    Ok(text)
}

const REST: &str = "Disks, keyboards and network cards in use are looked at next, and can change it; the report \
                    follows.";
