use std::collections::BTreeSet;

use hardware::acpi::{Dmar, Ivrs};
use option_rom::{Rom, Trailing, Verdict};
use pci::ConfigSpace;

use crate::{Target, machine};

/// All that there are. A new one is a line here, a function, and a folder with an input in `corpus`.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "config-space", longest: 4096, fixtures: &["pci-config/libvirt"], run: config_space },
    Target { name: "dmar", longest: 4096, fixtures: &["acpi/dmar"], run: dmar },
    Target { name: "ivrs", longest: 4096, fixtures: &["acpi/ivrs"], run: ivrs },
    Target { name: "option-rom", longest: 16384, fixtures: &["rom/free"], run: option_rom },
];

/// Capabilities are inside of what was read and each is named once; a machine of such functions is judged.
fn config_space(bytes: &[u8]) {
    let config = ConfigSpace::new(bytes.to_vec());
    let length = config.bytes().len();
    let mut offsets = BTreeSet::new();
    for capability in config.capabilities() {
        assert!((0x40..length.min(256)).contains(&capability.offset));
        assert!(offsets.insert(capability.offset), "{capability:?} twice");
    }
    for capability in config.extended_capabilities().unwrap_or_default() {
        assert!((256..length).contains(&capability.offset));
        assert!(offsets.insert(capability.offset), "{capability:?} twice");
    }
    machine::judge(&machine::with_config(&config));
}

/// No more units or problems than bytes for them; a machine with this table is judged.
fn dmar(bytes: &[u8]) {
    if let Ok(dmar) = Dmar::parse(bytes) {
        assert!(dmar.units.len() * 4 <= bytes.len());
        assert!(dmar.problems.len() <= bytes.len());
    }
    machine::judge(&machine::with_table("DMAR", bytes));
}

/// No more units or problems than bytes for them; a machine with this table is judged.
fn ivrs(bytes: &[u8]) {
    if let Ok(ivrs) = Ivrs::parse(bytes) {
        assert!(ivrs.units.len() * 4 <= bytes.len());
        assert!(ivrs.problems.len() <= bytes.len());
    }
    machine::judge(&machine::with_table("IVRS", bytes));
}

/// Images follow one another, every byte is spoken of, and the verdict is that of the problems.
fn option_rom(bytes: &[u8]) {
    let rom = Rom::parse(bytes);
    assert_eq!(rom.verdict, Verdict::of(&rom.problems));
    let mut at = rom.leading;
    for image in &rom.images {
        assert_eq!(image.offset, at, "images follow one another");
        assert!(image.length >= 512 && image.offset < bytes.len());
        at = image.end();
    }
    let (Trailing::Padding(trailing) | Trailing::Data(trailing)) = rom.trailing else {
        return assert!(at >= bytes.len());
    };
    assert_eq!(at + trailing, bytes.len(), "every byte is spoken of");
}
