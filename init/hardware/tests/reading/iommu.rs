//! What is read of IOMMU units and of the memory that firmware reserves.

use hardware::{AmdViUnit, FirmwareMemory, Reading};

use crate::sys::Sys;

fn range(start: u64, end: u64, kind: &str) -> FirmwareMemory {
    FirmwareMemory {
        start,
        end,
        kind: kind.to_owned(),
    }
}

#[test]
fn an_intel_unit_says_what_its_registers_can_do() {
    let sys = Sys::new();
    for (file, content) in [
        ("address", "fed90000\n"),
        ("version", "1:0\n"),
        ("cap", "1c0000c40660462\n"),
        ("ecap", "19e2ff0505e\n"),
    ] {
        sys.file(&format!("class/iommu/dmar0/intel-iommu/{file}"), content);
    }
    let units = sys.read().iommu_unit_registers;
    let unit = *units.known().unwrap()[0].intel.known().unwrap();
    assert_eq!((unit.address, unit.version), (0xfed9_0000, (1, 0)));
    assert!(unit.remaps_interrupts() && unit.supports_x2apic() && unit.passes_through());
    assert_eq!(unit.guest_address_width(), 39);
    assert_eq!(units.known().unwrap()[0].amd, Reading::Absent);
}

#[test]
fn an_amd_unit_has_one_or_two_feature_registers() {
    for (text, features) in [
        ("29d3\n", vec![0x29d3]),
        ("0:246577efa2254afa\n", vec![0, 0x2465_77ef_a225_4afa]),
    ] {
        let sys = Sys::new();
        sys.file("class/iommu/ivhd0/amd-iommu/cap", "190b640f\n")
            .file("class/iommu/ivhd0/amd-iommu/features", text);
        let units = sys.read().iommu_unit_registers;
        let unit = AmdViUnit {
            capability: 0x190b_640f,
            features,
        };
        assert_eq!(units.known().unwrap()[0].amd, Reading::Known(unit));
    }
}

#[test]
fn registers_that_were_not_copied_or_make_no_sense_are_unknown() {
    let sys = Sys::new();
    sys.folder("class/iommu/dmar0");
    for (file, content) in [("address", "fed9g\n"), ("version", "1:0\n"), ("cap", "0\n")] {
        sys.file(&format!("class/iommu/dmar1/intel-iommu/{file}"), content);
    }
    let units = sys.read().iommu_unit_registers;
    let units = units.known().unwrap();
    assert_eq!(units.len(), 2);
    assert!(units.iter().all(|unit| unit.intel.is_unknown()));
    assert!(Sys::new().read().iommu_unit_registers.is_unknown());
}

#[test]
fn the_firmware_s_map_of_memory_is_sorted() {
    let sys = Sys::new();
    for (entry, start, end, kind) in [
        ("1", "0x9f000", "0x9ffff", "Reserved"),
        ("0", "0x0", "0x9efff", "System RAM"),
    ] {
        sys.file(&format!("firmware/memmap/{entry}/start"), start)
            .file(&format!("firmware/memmap/{entry}/end"), end)
            .file(&format!("firmware/memmap/{entry}/type"), kind);
    }
    let memory = [
        range(0, 0x9efff, "System RAM"),
        range(0x9f000, 0x9ffff, "Reserved"),
    ];
    assert_eq!(sys.read().firmware_memory.known().unwrap(), &memory);
}

#[test]
fn without_that_map_iomem_tells_it_to_root_alone() {
    let sys = Sys::new();
    sys.file(
        "proc/iomem",
        "00001000-0009efff : System RAM\nc0000000-febfffff : PCI Bus 0000:00\n\
         \x20 e0000000-efffffff : Reserved\n",
    );
    let memory = [
        range(0x1000, 0x9efff, "System RAM"),
        range(0xe000_0000, 0xefff_ffff, "Reserved"),
    ];
    assert_eq!(sys.read().firmware_memory.known().unwrap(), &memory);
    sys.file("proc/iomem", "00000000-00000000 : System RAM\n");
    assert!(sys.read().firmware_memory.is_unknown());
    assert!(Sys::new().read().firmware_memory.is_unknown());
}
