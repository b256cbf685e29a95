//! Real tables and configuration spaces, where they are at hand beside the working tree.

use beside::fixtures;
use hardware::acpi::{Dmar, Ivrs};

use crate::sys::{Sys, at};

#[path = "../../../testing/fixtures.rs"]
mod beside;

#[test]
fn every_real_dmar_has_its_units_and_nothing_wrong() {
    let tables = fixtures("acpi/dmar");
    for path in &tables {
        let bytes = std::fs::read(path).unwrap();
        let dmar = Dmar::parse(&bytes).unwrap();
        assert_eq!(dmar.problems, [], "{}", path.display());
        assert!(!dmar.units.is_empty(), "{}", path.display());
        assert!(
            (36..=52).contains(&dmar.host_address_width),
            "{}",
            path.display()
        );
        assert!(dmar.units.iter().all(|unit| unit.register_base % 4096 == 0));
        for cut in 0..bytes.len() {
            let _ = Dmar::parse(&bytes[..cut]);
        }
    }
    // Flags without bit 0 exist: machines without interrupt remapping.
    let without = tables.iter().filter(|path| {
        let dmar = Dmar::parse(&std::fs::read(path).unwrap()).unwrap();
        dmar.flags & Dmar::INTR_REMAP == 0
    });
    assert_eq!(without.count() > 0, !tables.is_empty());
}

#[test]
fn every_real_ivrs_describes_one_iommu_however_many_blocks_it_takes() {
    for path in fixtures("acpi/ivrs") {
        let bytes = std::fs::read(&path).unwrap();
        let ivrs = Ivrs::parse(&bytes).unwrap();
        assert_eq!(ivrs.problems, [], "{}", path.display());
        assert!(matches!(ivrs.header.revision, 1 | 2), "{}", path.display());
        assert_eq!(ivrs.units.len(), 1, "{}", path.display());
        for cut in 0..bytes.len() {
            let _ = Ivrs::parse(&bytes[..cut]);
        }
    }
}

#[test]
fn qemus_tables_are_read() {
    for path in fixtures("acpi/qemu") {
        let bytes = std::fs::read(&path).unwrap();
        if path.ends_with("DMAR.dmar") {
            let dmar = Dmar::parse(&bytes).unwrap();
            assert_eq!((dmar.flags, dmar.units.len()), (Dmar::INTR_REMAP, 1));
            assert_eq!(dmar.units[0].register_base, 0xfed9_0000);
        } else {
            assert_eq!(Ivrs::parse(&bytes).unwrap().units.len(), 1);
        }
    }
}

#[test]
fn real_configuration_spaces_alone_make_a_machine() {
    let sys = Sys::new();
    let configs = fixtures("pci-config/libvirt");
    for path in &configs {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (domain, rest) = name.split_once('-').unwrap();
        let address = format!("{domain}:{}", rest.replace('-', ":"));
        sys.file(
            &format!("bus/pci/devices/{address}/config"),
            std::fs::read(path).unwrap(),
        );
    }
    let machine = sys.read();
    assert_eq!(machine.functions.len(), configs.len());
    for function in &machine.functions {
        assert_ne!(function.id.to_string(), "ffff:ffff", "{}", function.address);
        assert!(!function.config.known().unwrap().capabilities().is_empty());
        // The bridges above were not copied.
        assert_eq!(function.parent.is_unknown(), function.address.bus > 0);
    }
    if !configs.is_empty() {
        let disk = at(&machine, "0000:01:00.0");
        assert_eq!(disk.id.to_string(), "1cc1:8201");
        assert!(disk.class.is_storage());
    }
}
