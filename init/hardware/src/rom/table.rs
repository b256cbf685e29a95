use super::owner::{Named, owner, remark};
use super::{Progress, RomReading, RomSource, twice};
use crate::tree::Tree;
use crate::vfct::Vfct;
use crate::{Function, Machine};

const TABLES: &str = "firmware/acpi/tables";
/// Some images of 64 KiB each.
const LIMIT: usize = 4 << 20;

/// Every image of AMD's ACPI table, also of functions that are not there now.
pub(super) fn read(
    sys: &Tree,
    functions: &[Function],
    progress: &mut dyn FnMut(Progress),
) -> Vec<RomReading> {
    // The kernel numbers tables of the same signature: VFCT1, VFCT2.
    let names = sys.list(TABLES).unwrap_or_default();
    let tables = names.iter().filter(|name| name.starts_with("VFCT"));
    let mut readings = Vec::new();
    for name in tables {
        let path = format!("{TABLES}/{name}");
        let place = sys.name(&path);
        let bytes = twice::read(|| sys.all_bytes(&path, LIMIT)).map_err(|failure| failure.why);
        let table = bytes.and_then(|bytes| Vfct::parse(&bytes).map_err(|error| error.to_string()));
        let table = match table {
            Ok(table) => table,
            Err(why) => {
                progress(Progress::Note(format!("{place} was not read: {why}")));
                continue;
            }
        };
        for problem in &table.problems {
            progress(Progress::Note(format!("{place}: {problem}")));
        }
        readings.extend(images(functions, table, &place));
    }
    readings
}

/// The images in the table of a machine that was saved.
pub(super) fn of_machine(machine: &Machine) -> Vec<RomReading> {
    let tables = machine.tables.known().into_iter().flatten();
    let ours = tables.filter(|(name, _)| name.starts_with("VFCT"));
    ours.filter_map(|(name, bytes)| {
        let table = Vfct::parse(bytes.known()?).ok()?;
        let place = format!("/sys/{TABLES}/{name}");
        Some(images(&machine.functions, table, &place))
    })
    .flatten()
    .collect()
}

fn images(functions: &[Function], table: Vfct, place: &str) -> Vec<RomReading> {
    let names: Vec<Named> = table
        .images
        .iter()
        .map(|image| Named {
            address: image.address,
            id: image.id,
            subsystem: Some(image.subsystem),
        })
        .collect();
    let images = table.images.into_iter().zip(&names);
    images
        .map(|(image, named)| {
            let address = owner(functions, named, &names);
            RomReading {
                address,
                id: Some(image.id),
                source: RomSource::Vfct,
                place: format!(
                    "{place}, image at {:#x}{}",
                    image.offset,
                    remark(named, address)
                ),
                taint: None,
                bytes: twice::judge(image.rom.clone(), &image.rom),
                not_restored: Vec::new(),
            }
        })
        .collect()
}
