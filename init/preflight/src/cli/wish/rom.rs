//! The ROM that a person wants a guest to get.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hardware::Function;
use option_rom::Rom;
use plan::{Choice, RomFile, rom_target, sha256};

use super::Seen;
use crate::rom_files::{self, DumpedRom};
use crate::session::KeptRoms;

/// Larger than any option ROM: the region of one is at most 16 MiB (PCI 3.0, 6.2.5.2).
const LARGEST: u64 = 16 << 20;

/// Where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RomWish {
    /// A file.
    File(PathBuf),
    /// What the session read of the card.
    Read,
}

impl RomWish {
    /// `read`, or a path; a file of that name is `./read`.
    pub(super) fn parse(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "read" => Self::Read,
            path => Self::File(path.into()),
        })
    }

    /// As a file, judged for the function that is to get it. None where what was read is wanted and no function of
    /// the machine was chosen, which the plan refuses.
    pub(super) fn file(&self, seen: &Seen, choice: &Choice) -> Result<Option<RomFile>> {
        let target = rom_target(&seen.machine, choice);
        let path = match (self, target) {
            (Self::File(path), _) => path.clone(),
            (Self::Read, None) => return Ok(None),
            (Self::Read, Some(target)) => unpacked(seen, target, &KeptRoms::of_this_boot())?,
        };
        judged(&path, target).map(Some)
    }
}

/// The clean copy of a function's ROM, as a file in this boot's memory.
fn unpacked(seen: &Seen, target: &Function, kept: &KeptRoms) -> Result<PathBuf> {
    if !seen.is_this {
        bail!(
            "--rom read is for the machine that this stick started; of another one 'preflight rom dump --from' \
             saves the file to give"
        );
    }
    let readings = seen.roms.as_deref().context(
        "--rom read: no session read option ROMs in this boot; boot the stick for it, or give a file",
    )?;
    let dumped = rom_files::dump(&seen.machine, readings);
    let own = |rom: &&DumpedRom| rom.address == target.address && rom.is_present;
    let dumped = dumped.iter().find(own);
    let clean = dumped.filter(|rom| {
        rom.choice
            .as_ref()
            .is_some_and(|choice| choice.copy.can_be_given())
    });
    let file = clean.and_then(|rom| {
        let name = rom.chosen_file.as_ref()?;
        rom.files.iter().find(|file| file.name == *name)
    });
    let file = file.with_context(|| {
        format!(
            "--rom read: of {} no clean copy was read; 'preflight rom dump' shows what there is",
            target.address
        )
    })?;
    kept.unpack(&file.name, &file.bytes)
}

fn judged(path: &Path, target: Option<&Function>) -> Result<RomFile> {
    let cannot = || format!("{} cannot be read; give a ROM file", path.display());
    let length = fs::metadata(path).with_context(cannot)?.len();
    if length > LARGEST {
        bail!(
            "{} is {length} bytes long, more than any option ROM; give a ROM file",
            path.display()
        );
    }
    let bytes = fs::read(path).with_context(cannot)?;
    let rom = Rom::parse(&bytes);
    Ok(RomFile {
        path: path.display().to_string(),
        length: bytes.len(),
        sha256: sha256(&bytes),
        rom: match target {
            Some(function) => rom.judged_for(function.id),
            None => rom,
        },
    })
}

#[cfg(test)]
mod tests {
    use assess::Options;
    use hardware::{Machine, Reading, RomReading, RomSource};
    use pci::{Address, ClassCode, FunctionId};
    use rom_maker::RomMaker;

    use super::*;

    const ID: FunctionId = FunctionId::new(0x10de, 0x1b80);

    fn card() -> Address {
        "01:00.0".parse().unwrap()
    }

    /// One card, of which this was read.
    fn seen(bytes: Vec<u8>, taint: Option<&str>) -> Seen {
        let display = Function {
            id: ID,
            class: ClassCode(0x03_00_00),
            boot_vga: Reading::Known(true),
            ..Function::unknown(card(), "not part of this test")
        };
        Seen {
            machine: Machine {
                functions: vec![display],
                ..Machine::default()
            },
            roms: Some(vec![RomReading {
                address: card(),
                id: None,
                source: RomSource::RomBar,
                place: "/sys/rom".to_owned(),
                taint: taint.map(str::to_owned),
                bytes: Ok(bytes),
                not_restored: Vec::new(),
            }]),
            names: None,
            options: Options::default(),
            is_this: true,
        }
    }

    fn unpacked_in(folder: &Path, seen: &Seen) -> Result<PathBuf> {
        let kept = KeptRoms::at(&folder.join("preflight/roms.json.zst"));
        unpacked(seen, seen.machine.functions.first().unwrap(), &kept)
    }

    #[test]
    fn what_was_read_is_given_as_it_was_saved_and_where_nothing_fits_it_is_said_why() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = RomMaker::new(ID).legacy(0x1000).build();
        let path = unpacked_in(folder.path(), &seen(bytes.clone(), None)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(name, "0000-01-00.0_10de-1b80_rom-bar_good.rom");
        assert_eq!(fs::read(&path).unwrap(), bytes);
        let refused = |seen: Seen| unpacked_in(folder.path(), &seen).unwrap_err().to_string();
        let shadow = refused(seen(bytes.clone(), Some("the legacy copy")));
        assert!(shadow.contains("no clean copy was read"), "{shadow}");
        let broken = refused(seen(vec![0; 512], None));
        assert!(broken.contains("no clean copy was read"), "{broken}");
        let unread = refused(Seen {
            roms: None,
            ..seen(Vec::new(), None)
        });
        assert!(unread.contains("boot the stick for it"), "{unread}");
        let elsewhere = refused(Seen {
            is_this: false,
            ..seen(bytes, None)
        });
        assert!(elsewhere.contains("rom dump --from"), "{elsewhere}");
    }

    #[test]
    fn a_file_can_have_any_name() {
        assert_eq!(RomWish::parse("read"), Ok(RomWish::Read));
        assert_eq!(RomWish::parse("./read"), Ok(RomWish::File("./read".into())));
    }
}
