use hardware::vfct::{Vfct, VfctImage};
use hardware::{Function, Reading};
use pci::{Address, VendorId};

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const ROM: FindingId = FindingId::new("apu.rom");

pub(super) const RULE: Rule = Rule { ids: &[ROM], judge };

const AMD: VendorId = VendorId(0x1002);
/// Displays inside AMD's processors (include/drm/amd_asic_type.h's APUs by the ids of the kernel's amdgpu
/// and of pci.ids).
const PROCESSORS: &[(&str, u16)] = &[
    ("Raven", 0x15dd),
    ("Picasso", 0x15d8),
    ("Renoir", 0x1636),
    ("Cezanne", 0x1638),
    ("Lucienne", 0x164c),
    ("Barcelo", 0x15e7),
    ("Van Gogh", 0x163f),
    ("Rembrandt", 0x1681),
    ("Mendocino", 0x1506),
    ("Raphael", 0x164e),
    ("Granite Ridge", 0x13c0),
    ("Phoenix", 0x15bf),
    ("Phoenix 2", 0x15c8),
    ("Hawk Point", 0x1900),
    ("Strix", 0x150e),
    ("Strix Halo", 0x1586),
];

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter(|function| function.class.is_display() && function.id.vendor == AMD)
        .filter_map(|function| judge_function(ctx, function))
        .collect()
}

/// By its id, or by its having no ROM of its own and one in the firmware's table.
fn judge_function(ctx: &Context, function: &Function) -> Option<Finding> {
    let address = function.address;
    let name = PROCESSORS
        .iter()
        .find(|(_, device)| *device == function.id.device.0);
    let table = vfct(ctx);
    let image = table.as_ref().and_then(|table| {
        let table = Vfct::parse(table.known()?).ok()?;
        table
            .images
            .into_iter()
            .find(|image| is_for(image, function))
    });
    let has_no_rom = function.rom_region == Reading::Absent;
    if name.is_none() && !(has_no_rom && image.is_some()) {
        return None;
    }
    let audio = Address {
        function: 1,
        ..address
    };
    let picture = if ctx.function(audio).is_some() {
        format!(
            " For a picture under OVMF the processor's GOP driver goes with it, as romfile of the sound \
             function {audio}; the other ids in that file are right."
        )
    } else {
        String::new()
    };
    let summary =
        "It is part of the processor: its ROM is in a table of the firmware, not on a card.";
    let what = name.map_or("not in the list of processors", |(name, _)| name);
    Some(
        Finding::note(ROM, address, summary)
            .seen(format!("{address} is {}, {what}", function.id))
            .seen(match (image, table) {
                (Some(image), _) => format!(
                    "VFCT has {} bytes for {} at {}",
                    image.rom.len(),
                    image.id,
                    image.address
                ),
                (None, Some(Reading::Unknown(why))) => format!("VFCT was not read: {why}"),
                (None, Some(_)) => "VFCT has no image for it".to_owned(),
                (None, None) => "firmware has no VFCT table".to_owned(),
            })
            .remedy(format!(
                "Give the guest that image as a file (romfile=).{picture} Start and stop the guest a few \
                 times before you rely on it: many of these do not come back."
            )),
    )
}

fn is_for(image: &VfctImage, function: &Function) -> bool {
    image.id == function.id
}

/// The table, where it is there or could not be read; none where firmware has none.
fn vfct<'a>(ctx: &Context<'a>) -> Option<Reading<&'a Vec<u8>>> {
    match &ctx.machine.tables {
        Reading::Known(tables) => tables.get("VFCT").map(Reading::as_ref),
        Reading::Absent => None,
        Reading::Unknown(why) => Some(Reading::Unknown(why.clone())),
    }
}

#[cfg(test)]
mod tests {
    use pci::FunctionId;

    use super::*;
    use crate::Severity;
    use crate::testing::{AUDIO, Builder, GPU, vfct_table};

    const CEZANNE: FunctionId = FunctionId {
        vendor: AMD,
        device: pci::DeviceId(0x1638),
    };

    fn apu(id: FunctionId, table: Option<Reading<Vec<u8>>>) -> Builder {
        let mut builder = Builder::good().change(GPU, |gpu| {
            gpu.id = id;
            gpu.rom_region = Reading::Absent;
        });
        if let (Reading::Known(tables), Some(table)) = (&mut builder.machine.tables, table) {
            tables.insert("VFCT".into(), table);
        }
        builder
    }

    #[test]
    fn a_processors_display_is_told_where_its_rom_is_and_what_goes_with_it() {
        let machine = apu(CEZANNE, Some(Reading::Known(vfct_table(CEZANNE, 512))));
        let found = machine.only(&RULE);
        assert_eq!(found.severity, Severity::Note);
        assert!(found.evidence[0].contains("Cezanne"));
        assert!(found.evidence[1].contains("512 bytes for 1002:1638"));
        assert!(!found.remedy.unwrap().contains("GOP"));
        let with_sound = machine.add(AUDIO, 0x04_03_00).only(&RULE);
        assert!(with_sound.remedy.unwrap().contains("0000:01:00.1"));
    }

    #[test]
    fn an_id_that_is_not_listed_is_known_by_the_table_alone() {
        let id = FunctionId::new(0x1002, 0x7777);
        let table = || Some(Reading::Known(vfct_table(id, 64)));
        assert!(apu(id, table()).only(&RULE).evidence[0].contains("not in the list"));
        let card = apu(id, table()).change(GPU, |gpu| {
            gpu.rom_region = Reading::Known(hardware::Bar {
                index: 6,
                start: 0xf000_0000,
                end: 0xf001_ffff,
                flags: 0x200,
            });
        });
        assert!(card.findings_of(&RULE).is_empty());
        assert!(apu(id, None).findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_table_that_was_not_read_is_said_to_be_so() {
        let unread = apu(CEZANNE, Some(Reading::Unknown("needs root".into())));
        assert!(unread.only(&RULE).evidence[1].contains("needs root"));
        let none = apu(CEZANNE, None);
        assert!(none.only(&RULE).evidence[1].contains("no VFCT"));
    }
}
