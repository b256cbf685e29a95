//! Copies of option ROMs as files: which function gets which, under what names, with what beside them.
//! Values in, values out; `rom dump` and the session write them.

mod advice;
mod sidecar;

use std::collections::BTreeMap;

use assess::{CopyOutcome, RomChoice, RomCopy, choose_rom, rom_copy};
use hardware::{Function, Machine, RomReading};
use option_rom::Verdict;
use pci::{Address, FunctionId};

pub use self::advice::Advice;

/// What was found of one function's ROM.
#[derive(Debug)]
pub struct DumpedRom {
    /// Its place, as the kernel numbers it where it is there.
    pub address: Address,
    /// Its ids.
    pub id: FunctionId,
    /// It is there now. Firmware can have kept the ROM of one that is not.
    pub is_present: bool,
    /// The chosen copy and the others; none when no source gave one.
    pub choice: Option<RomChoice>,
    /// Every source that gave no copy: its name in a sentence, and why.
    pub failures: Vec<(&'static str, String)>,
    /// A file for each copy, the chosen one `.rom` and the others `.bin`, each with a `.json` of the same
    /// name.
    pub files: Vec<RomFile>,
    /// Name of the chosen copy's file.
    pub chosen_file: Option<String>,
    /// What a guest's configuration needs.
    pub advice: Advice,
}

/// A file, by a name that FAT takes, and its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct RomFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One copy and the name of its files without an ending.
struct NamedCopy<'a> {
    copy: RomCopy,
    bytes: &'a [u8],
    stem: String,
    is_chosen: bool,
}

impl NamedCopy<'_> {
    fn file_name(&self) -> String {
        let ending = if self.is_chosen { "rom" } else { "bin" };
        format!("{}.{ending}", self.stem)
    }
}

/// Everything about every function of which a source was tried, by address.
pub fn dump(machine: &Machine, readings: &[RomReading]) -> Vec<DumpedRom> {
    let mut by_function: BTreeMap<(Address, FunctionId), Vec<&RomReading>> = BTreeMap::new();
    for reading in readings {
        let owner = function_of(machine, reading).map(|function| function.id);
        // A source that names no ids is one of a function that is there.
        if let Some(id) = owner.or(reading.id) {
            let key = (reading.address, id);
            by_function.entry(key).or_default().push(reading);
        }
    }
    by_function
        .into_iter()
        .map(|((address, id), readings)| {
            let function = machine
                .functions
                .iter()
                .find(|function| function.address == address && function.id == id);
            of_function(address, id, function, &readings)
        })
        .collect()
}

/// The function that a reading is of. One that names other ids is not that of the function at its address.
fn function_of<'a>(machine: &'a Machine, reading: &RomReading) -> Option<&'a Function> {
    machine
        .functions
        .iter()
        .find(|function| function.address == reading.address)
        .filter(|function| reading.id.is_none_or(|id| id == function.id))
}

fn of_function(
    address: Address,
    id: FunctionId,
    function: Option<&Function>,
    readings: &[&RomReading],
) -> DumpedRom {
    let choice = choose_rom(id, readings);
    let copies = named_copies(address, id, readings, choice.as_ref());
    let chosen = copies.iter().find(|named| named.is_chosen);
    let chosen_file = chosen.map(NamedCopy::file_name);
    let failures: Vec<_> = readings
        .iter()
        .filter_map(|reading| {
            let failure = reading.bytes.as_ref().err()?;
            Some((reading.source.words(), failure.why.clone()))
        })
        .collect();
    let advice = advice::advice(function, &copies);
    let files = choice.as_ref().map_or_else(Vec::new, |choice| {
        let about = sidecar::About {
            address,
            id,
            function,
            choice,
            advice: &advice,
            copies: &copies,
        };
        copies.iter().flat_map(|named| about.files(named)).collect()
    });
    DumpedRom {
        address,
        id,
        is_present: function.is_some(),
        failures,
        files,
        chosen_file,
        advice,
        choice,
    }
}

/// Each copy that was read, with a name of its own.
fn named_copies<'a>(
    address: Address,
    id: FunctionId,
    readings: &[&'a RomReading],
    choice: Option<&RomChoice>,
) -> Vec<NamedCopy<'a>> {
    let outcomes = choice.map(|choice| choice.copies.as_slice());
    let mut named: Vec<NamedCopy<'a>> = Vec::new();
    for (reading, summary) in readings.iter().zip(outcomes.unwrap_or_default()) {
        let (Some(copy), Ok(bytes)) = (rom_copy(id, reading), &reading.bytes) else {
            continue;
        };
        let stem = stem(address, id, &copy);
        let same = named
            .iter()
            .filter(|other| other.stem == stem || other.stem.starts_with(&format!("{stem}-")))
            .count();
        let stem = match same {
            0 => stem,
            _ => format!("{stem}-{}", same + 1),
        };
        named.push(NamedCopy {
            copy,
            bytes,
            stem,
            is_chosen: matches!(summary.outcome, CopyOutcome::Read { chosen: true, .. }),
        });
    }
    named
}

/// `0000-01-00.0_10de-0fc6_rom-bar_good`: FAT takes no colon.
fn stem(address: Address, id: FunctionId, copy: &RomCopy) -> String {
    let address = address.to_string().replace(':', "-");
    let taint = if copy.taint.is_some() { "-tainted" } else { "" };
    format!(
        "{address}_{}-{}_{}_{}{taint}",
        id.vendor,
        id.device,
        copy.source.name(),
        verdict(copy.rom.verdict)
    )
}

/// A verdict as file names and people have it.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Usable => "usable",
        Verdict::Bad => "bad",
    }
}

#[cfg(test)]
#[path = "rom_files/tests.rs"]
mod tests;
