use std::collections::BTreeSet;

use hardware::acpi::{Dmar, Ivrs, Madt};
use hardware::vfct::Vfct;
use hardware::{lspci, smbios};
use image_builder::inspect::Content;
use option_rom::{Rom, Trailing, Verdict};
use pci::{ConfigSpace, Decoded};

use crate::{Target, archive, installed, machine};

/// All that there are. A new one is a line here, a function, and a folder with an input in `corpus`.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "boot-entry", longest: 4096, fixtures: &[], run: installed::boot_entry },
    Target { name: "boot-file", longest: 65536, fixtures: &[], run: boot_file },
    Target { name: "capture", longest: 16384, fixtures: &[], run: capture },
    Target { name: "capture-files", longest: 16384, fixtures: &[], run: capture_files },
    Target { name: "config-space", longest: 4096, fixtures: &["pci-config/libvirt"], run: config_space },
    Target { name: "dmar", longest: 4096, fixtures: &["acpi/dmar"], run: dmar },
    Target { name: "edits", longest: 4096, fixtures: &["boot/grub", "boot/kernel-cmdline"], run: installed::edits },
    Target { name: "installed-system", longest: 65536, fixtures: &[], run: installed::system },
    Target { name: "ivrs", longest: 4096, fixtures: &["acpi/ivrs"], run: ivrs },
    Target { name: "lspci-text", longest: 16384, fixtures: &["pci-config/pciutils"], run: lspci_text },
    Target { name: "madt", longest: 4096, fixtures: &[], run: madt },
    Target { name: "option-rom", longest: 16384, fixtures: &["rom/free"], run: option_rom },
    Target { name: "smbios", longest: 4096, fixtures: &[], run: smbios },
    Target { name: "vfct", longest: 4096, fixtures: &[], run: vfct },
];

/// Segments lie behind each other inside the file; a disk's files are told with what they are.
fn boot_file(bytes: &[u8]) {
    let Some(content) = image_builder::inspect::look(bytes) else {
        return;
    };
    if let Content::Initramfs(initramfs) = &content {
        let mut end = 0;
        for segment in &initramfs.segments {
            assert!(segment.offset >= end, "{segment:?}");
            end = segment.offset + segment.packed;
        }
        assert!(end <= bytes.len());
    }
    let _ = serde_json::to_string(&content);
}

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
    let decoded = Decoded::of(&config);
    assert!(decoded.capabilities.len() <= offsets.len());
    assert!(decoded.problems.len() <= length);
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

/// A file as somebody gives it; what is no zstd is taken as a tar archive, which is further in.
fn capture(bytes: &[u8]) {
    let is_compressed = bytes.starts_with(archive::ZSTD);
    let compressed = if is_compressed {
        bytes.to_vec()
    } else {
        archive::compressed(bytes)
    };
    machine::judge_capture(&compressed);
}

/// An archive that agrees with its manifest, with any paths and contents; or with any manifest.
fn capture_files(bytes: &[u8]) {
    machine::judge_capture(&archive::capture(bytes));
}

/// No more functions than lines; each is there once; the machine is judged. Names turned into ids or not.
fn lspci_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for names in [None, Some(machine::names())] {
        let Ok(machine) = lspci::parse(&text, names) else {
            continue;
        };
        let places: BTreeSet<_> = machine.functions.iter().map(|one| one.address).collect();
        assert_eq!(places.len(), machine.functions.len());
        assert!(places.len() <= text.lines().count());
        machine::judge(&machine);
    }
}

/// No more interrupt controllers or problems than bytes for them.
fn madt(bytes: &[u8]) {
    if let Ok(madt) = Madt::parse(bytes) {
        assert!(madt.io_apics.len() * 2 <= bytes.len());
        assert!(madt.problems.len() <= bytes.len());
    }
    machine::judge(&machine::with_table("APIC", bytes));
}

/// No more slots than structures.
fn smbios(bytes: &[u8]) {
    if let Ok(slots) = smbios::board_slots(bytes) {
        assert!(slots.len() * 6 <= bytes.len());
    }
}

/// No more bytes in the images than in the table.
fn vfct(bytes: &[u8]) {
    if let Ok(vfct) = Vfct::parse(bytes) {
        let length: usize = vfct.images.iter().map(|image| image.rom.len()).sum();
        assert!(length <= bytes.len());
        assert!(vfct.problems.len() <= bytes.len());
    }
    machine::judge(&machine::with_table("VFCT", bytes));
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
