//! Every typed field against what the `lspci` of pciutils prints for the same bytes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod dump;
mod expected;
mod fixtures;
mod names;
mod printed;
mod synthetic;

use std::collections::BTreeMap;

use pci::{Address, ConfigSpace, Decoded, List};

use crate::printed::PrintedFunction;

/// How many fields agreed, by the start of the line that they stand in.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    fn agree(&mut self, line: &str, fields: usize) {
        *self.0.entry(line.to_owned()).or_default() += fields;
    }

    fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// Fails when a kind of line was never compared.
    fn assert_covers(&self, lines: &[&str]) {
        let missing: Vec<_> = lines
            .iter()
            .filter(|line| !self.0.contains_key(**line))
            .collect();
        assert!(missing.is_empty(), "never compared: {missing:?}");
        println!(
            "{} fields agree in {} kinds of lines",
            self.total(),
            self.0.len()
        );
    }
}

fn compare(at: Address, space: &ConfigSpace, printed: &PrintedFunction, tally: &mut Tally) {
    let decoded = Decoded::of(space);
    for expected in expected::header(space, &decoded.header) {
        expected.check(&printed.header, &format!("{at} header"), tally);
    }
    let ours: Vec<_> = decoded
        .capabilities
        .iter()
        .filter(|entry| entry.list == List::Conventional || printed.has_extended())
        .map(|entry| (entry.offset, entry.version))
        .collect();
    let theirs: Vec<_> = printed
        .capabilities
        .iter()
        .map(|capability| (capability.offset, capability.version))
        .collect();
    assert_eq!(ours, theirs, "{at}: offsets and versions in list order");
    for (entry, capability) in decoded.capabilities.iter().zip(&printed.capabilities) {
        let whose = format!("{at} [{:x}] {:?}", entry.offset, entry.name());
        if let Some(id) = names::id(entry.list, &capability.title) {
            assert_eq!(entry.id, id, "{whose}: lspci says {}", capability.title);
            assert!(entry.name().is_some(), "{whose}: no name");
            tally.agree("name", 1);
        }
        let contents = entry
            .contents
            .as_ref()
            .unwrap_or_else(|| panic!("{whose}: cut short"));
        for expected in expected::capability(at, &decoded, contents) {
            expected.check(&capability.lines, &whose, tally);
        }
    }
}

fn compare_all(functions: &BTreeMap<Address, ConfigSpace>, text: &str, tally: &mut Tally) {
    let printed = printed::functions(&printed::lspci(text));
    assert_eq!(
        functions.keys().collect::<Vec<_>>(),
        printed.keys().collect::<Vec<_>>()
    );
    for ((at, space), printed) in functions.iter().zip(printed.values()) {
        compare(*at, space, printed, tally);
    }
}

#[test]
fn every_field_of_every_real_dump_is_what_lspci_prints() {
    let mut tally = Tally::default();
    for (name, text) in fixtures::texts() {
        println!("{name}");
        let spaces = dump::read(&text);
        compare_all(&spaces, &text, &mut tally);
        for (at, space) in &spaces {
            assert_eq!(space.problems(), [], "{at}");
        }
    }
    let spaces = fixtures::binaries();
    if !spaces.is_empty() {
        compare_all(&spaces, &dump::write(&spaces), &mut tally);
    }
    if tally.total() > 0 {
        tally.assert_covers(&[
            "name",
            "Region",
            "Bus:",
            "I/O behind bridge:",
            "Memory behind bridge:",
            "Prefetchable memory behind bridge:",
            "BridgeCtl:",
            "Power",
            "Flags:",
            "Status:",
            "MSI:",
            "Address:",
            "Masking:",
            "MSI-X:",
            "Vector table:",
            "PBA:",
            "Express",
            "DevCap:",
            "DevCtl:",
            "DevSta:",
            "LnkCap:",
            "LnkCtl:",
            "LnkSta:",
            "SltCap:",
            "SltCtl:",
            "SltSta:",
            "RootCap:",
            "RootCtl:",
            "RootSta:",
            "DevCap2:",
            "DevCtl2:",
            "LnkCap2:",
            "LnkCtl2:",
            "LnkSta2:",
            "AFCap:",
            "AFCtrl:",
            "AFStatus:",
            "UESta:",
            "UEMsk:",
            "UESvrt:",
            "CESta:",
            "CEMsk:",
            "AERCap:",
            "HeaderLog:",
            "RootCmd:",
            "ErrorSrc:",
            "ACSCap:",
            "ACSCtl:",
            "ARICap:",
            "ARICtl:",
            "ATSCap:",
            "ATSCtl:",
            "PASIDCap:",
            "PASIDCtl:",
            "PRICtl:",
            "PRISta:",
            "Page Request Capacity:",
            "IOVCap:",
            "IOVCtl:",
            "IOVSta:",
            "Initial VFs:",
            "VF offset:",
            "Supported Page Size:",
            "VF Migration:",
            "Device Serial Number",
            "Caps:",
            "Ctrl:",
            "VC",
            "Max snoop latency:",
            "Max no snoop latency:",
            "L1SubCap:",
            "L1SubCtl1:",
            "L1SubCtl2:",
            "Vendor Specific Information:",
        ]);
        assert!(tally.total() > 4000, "{}", tally.total());
    }
}

/// What no real dump at hand has: resizable BARs, containment, egress control, CardBus, and every bit both
/// set and clear.
#[test]
fn every_field_of_random_registers_is_what_lspci_prints() {
    let spaces = synthetic::functions(256);
    let mut tally = Tally::default();
    compare_all(&spaces, &dump::write(&spaces), &mut tally);
    tally.assert_covers(&[
        "Memory window",
        "I/O window",
        "BAR",
        "DpcCap:",
        "DpcCtl:",
        "DpcSta:",
        "Source:",
        "Region",
        "LnkCap2:",
        "ErrorSrc:",
        "VC",
        "L1SubCap:",
        "AFCap:",
        "SltCap:",
        "ARICap:",
        "IOVCap:",
    ]);
    for space in spaces.values() {
        assert_eq!(space.problems(), []);
    }
}
