//! A session of the image on a machine with cards: what it reports, saves, and leaves of the cards.

use std::path::Path;

use cards::{Entry, Region};
use qemu_tests::{Boot, Images, Machine, Milestone, Run, RunResult, ServedCard, Stick, skip};
use serde_json::Value;
use tempfile::TempDir;

use crate::lab::Lab;

/// The command register, which decides about memory decoding.
pub const COMMAND: u64 = 0x04;
/// The expansion ROM base address, with its enable bit.
pub const ROM_BAR: u64 = 0x30;
/// NVIDIA's register that hides the flash.
pub const ROM_SHADOW: u64 = 0x50;

/// One session that ran to its end.
pub struct Session {
    pub result: RunResult,
    stick: Stick,
    _folder: TempDir,
}

/// Boots the image with these options, lets `during` do what a person does, and waits for the end. None,
/// with the reason printed, when there is no image.
pub fn session_with(
    lab: &Lab,
    name: &str,
    machine: Machine,
    options: &[&str],
    during: impl FnOnce(&mut Run),
) -> Option<Session> {
    let images = Images::unpacked().map_err(|why| skip(&why)).ok()?;
    let folder = tempfile::tempdir_in(lab.folder()).unwrap();
    let stick = Stick::new(folder.path()).unwrap();
    let boot = Boot::new(name, &images, machine.stick(&stick))
        .deadlines(lab.deadlines)
        .option("preflight.end=poweroff");
    let boot = options
        .iter()
        .fold(boot, |boot, option| boot.option(option));
    let mut run = boot.start(&lab.qemu).unwrap();
    during(&mut run);
    run.wait_milestone(Milestone::Shown).unwrap();
    let result = run.result().unwrap();
    run.wait_end().unwrap();
    Some(Session {
        result,
        stick,
        _folder: folder,
    })
}

/// The same with nobody there.
pub fn session(lab: &Lab, name: &str, machine: Machine, options: &[&str]) -> Option<Session> {
    session_with(lab, name, machine, options, |_| {})
}

impl Session {
    /// The function at an address, as the assessment has it.
    pub fn function(&self, address: &str) -> &Value {
        let functions = self.result.assessment["functions"].as_array().unwrap();
        let found = functions.iter().find(|one| one["address"] == address);
        found.unwrap_or_else(|| panic!("no function {address} in {functions:#?}"))
    }

    /// Its ROM.
    pub fn rom(&self, address: &str) -> &Value {
        &self.function(address)["rom"]
    }

    /// What came of one source of its ROM.
    pub fn copy(&self, address: &str, source: &str) -> &Value {
        let rom = self.rom(address);
        let copies = rom["copies"].as_array();
        let mut copies = copies.into_iter().flatten();
        let found = copies.find(|copy| copy["source"] == source);
        found.unwrap_or_else(|| panic!("no copy from {source} in {rom:#}"))
    }

    /// The one saved file for this address that is chosen: its path and its bytes.
    pub fn chosen(&self, address: &str) -> (String, Vec<u8>) {
        let start = format!("roms/{}_", address.replace(':', "-"));
        let saved = self.result.saved.as_ref().unwrap();
        let mut chosen = saved
            .files
            .iter()
            .filter(|file| file.path.starts_with(&start) && file.path.ends_with(".rom"));
        let (Some(file), None) = (chosen.next(), chosen.next()) else {
            panic!("not one .rom for {address}: {:#?}", saved.files)
        };
        (file.path.clone(), self.file(&file.path))
    }

    /// A saved file.
    pub fn file(&self, path: &str) -> Vec<u8> {
        let folder = &self.result.saved.as_ref().unwrap().folder;
        self.stick.file(&format!("{folder}/{path}")).unwrap()
    }

    /// What stands beside a saved ROM.
    pub fn sidecar(&self, rom: &str) -> Value {
        let path = Path::new(rom).with_extension("json");
        serde_json::from_slice(&self.file(path.to_str().unwrap())).unwrap()
    }
}

/// The value that was last read from or written to a register.
pub fn last_value(entries: &[Entry], function: u8, offset: u64) -> Option<u64> {
    let values = entries.iter().rev().filter_map(|entry| {
        let span = entry.span()?;
        let here = span.region == Region::Config && span.offset == offset;
        (here && entry.function == function).then_some(span.value)
    });
    values.into_iter().next()
}

/// Checks that what was written to the registers of function 0 was taken back: the last write to each is of
/// the value that was there before the first.
pub fn assert_restored(card: &ServedCard, mark: usize, what: &str) {
    let all = card.log().entries();
    let (before, since) = all.split_at(mark);
    for offset in [COMMAND, ROM_BAR, ROM_SHADOW] {
        let Some(original) = last_value(before, 0, offset) else {
            continue;
        };
        let mut writes = since.iter().rev().filter_map(Entry::config_write);
        if let Some(last) = writes.find(|span| span.offset == offset) {
            assert_eq!(last.value, original, "{what}: register {offset:#x}: {last}");
        }
    }
}
