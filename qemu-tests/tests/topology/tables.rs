//! ACPI tables that a test has written, as the kernel uses them.

use pci::FunctionId;
use qemu_tests::acpi::{Dmar, Ivrs, Memory, RemappingUnit, Scope, UnitKind, Vfct, VfctImage};
use qemu_tests::{Device, Iommu, Machine, Port};
use serde_json::json;

use crate::look::{Lab, Look};

const REMAPPING: Iommu = Iommu::Intel {
    interrupt_remapping: true,
};

fn with_two_cards() -> Machine {
    let nic = || Device::E1000e { rom: None };
    Machine::q35()
        .card(Port::RootPort, nic())
        .card(Port::RootPort, nic())
}

/// The second card must have a range mapped one to one.
fn assert_reserves(look: &Look) {
    let reserved = json!({
        "start": "0x1f000000", "end": "0x1f0fffff", "kind": "direct",
        "functions": ["0000:02:00.0"],
    });
    let regions = &look.result.assessment["iommu"]["reserved_regions"];
    assert!(
        regions.as_array().unwrap().contains(&reserved),
        "{regions:#}"
    );
}

#[test]
fn a_dmar_in_place_of_the_firmware_s_reserves_memory_and_opts_out_of_x2apic() {
    let Some(lab) = Lab::open() else { return };
    let card = Scope::endpoint(&[(0x11, 0), (0, 0)]);
    let mut dmar = Dmar::qemu(true).reserve(0x1f00_0000, 0x1f0f_ffff, vec![card]);
    dmar.flags.x2apic_opt_out = true;
    let boot = lab
        .boot("table-dmar", with_two_cards().iommu(REMAPPING))
        .replace_table(&dmar.table());
    let look = lab.look(boot).unwrap();
    assert_eq!(look.result.assessment["iommu"]["x2apic_opt_out"], true);
    assert_reserves(&look);
}

#[test]
fn a_card_whose_own_unit_is_dead_is_in_no_group_and_the_others_are() {
    let Some(lab) = Lab::open() else { return };
    let mut dmar = Dmar::qemu(false);
    // Nothing answers at its registers.
    let dead = RemappingUnit {
        include_all: false,
        registers: 0xfed9_1000,
        scopes: vec![Scope::endpoint(&[(0x10, 0), (0, 0)])],
    };
    dmar.units.insert(0, dead);
    let boot = lab
        .boot("table-units", with_two_cards().iommu(REMAPPING))
        .replace_table(&dmar.table());
    let look = lab.look(boot).unwrap();
    let iommu = &look.result.assessment["iommu"];
    assert_eq!(iommu["units"], json!(["dmar1"]));
    // The table's way to the card, over a port that firmware gave its bus, and the unit that answers.
    let [dead, alive] = [&iommu["unit_details"][0], &iommu["unit_details"][1]];
    assert_eq!(dead["name"], json!(null));
    assert_eq!(dead["functions"], json!(["0000:01:00.0"]));
    assert_eq!(alive["name"], "dmar1");
    assert_eq!(alive["interrupt_remapping"], "no");
    let covered = alive["functions"].as_array().unwrap();
    assert!(covered.contains(&json!("0000:02:00.0")), "{alive:#}");
    assert_eq!(look.function("01:00.0")["group"], json!(null));
    assert_eq!(look.group("02:00.0"), ["02:00.0"]);
}

#[test]
fn an_ivrs_in_place_of_the_firmware_s_maps_memory_for_one_card() {
    let Some(lab) = Lab::open() else { return };
    let mut ivrs = Ivrs::qemu(&[UnitKind::Legacy, UnitKind::Extended]);
    ivrs.memory.push(Memory {
        requesters: Some((0x0200, 0x0200)),
        base: 0x1f00_0000,
        length: 0x0010_0000,
        exclusion: false,
    });
    let iommu = Iommu::Amd {
        interrupt_remapping: true,
        x2apic: false,
    };
    let boot = lab
        .boot("table-ivrs", with_two_cards().iommu(iommu))
        .replace_table(&ivrs.table());
    let look = lab.look(boot).unwrap();
    assert_reserves(&look);
    assert!(look.serial.contains("EFR:0x29d3"), "{}", look.serial);
}

#[test]
fn a_vfct_is_among_the_tables_of_the_firmware() {
    let Some(lab) = Lab::open() else { return };
    let image = VfctImage {
        place: (1, 0, 0),
        id: FunctionId::new(0x1002, 0x67df),
        subsystem: FunctionId::new(0x1682, 0x9480),
        revision: 0xc7,
        bytes: vec![0x55; 1024],
    };
    let table = Vfct {
        images: vec![image],
    };
    let file = table.table().write(lab.folder()).unwrap();
    let look = lab
        .look(lab.boot("table-vfct", Machine::q35().acpi_table(&file)))
        .unwrap();
    let found = look.serial.lines().find(|line| line.contains("ACPI: VFCT"));
    // Its length, 36 + 40 + 28 + 1024, in hex.
    assert!(
        found.is_some_and(|line| line.contains(" 000468 ")),
        "{found:?}"
    );
    assert!(!look.serial.contains("Incorrect checksum in table"));
}
