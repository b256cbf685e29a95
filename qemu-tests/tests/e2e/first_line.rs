use qemu_tests::{Device, Iommu, Machine, Port, Stick};

use crate::lab::{Lab, Session, first_line};

const CARD: &str = "0000:01:00.0";
const REMAPPING: Iommu = Iommu::Intel {
    interrupt_remapping: true,
};

/// A boot display on the root bus and a graphics card behind a root port.
fn two_displays(lab: &Lab, iommu: Iommu) -> Machine {
    let rom = lab.card_rom.clone();
    Machine::q35()
        .iommu(iommu)
        .display(Device::StandardVga)
        .card(Port::RootPort, Device::AtiVga { rom })
}

fn look(lab: &Lab, name: &str, machine: Machine) -> (String, Session) {
    let stick = Stick::new(lab.folder()).unwrap();
    let session = lab.look(lab.boot(name, machine.stick(&stick)));
    let report = session.report(&stick);
    println!("{report}");
    (first_line(&report), session)
}

#[test]
fn a_card_alone_in_its_group_behind_a_remapping_iommu_can_be_passed() {
    let Some(lab) = Lab::open() else { return };
    let (first, session) = look(&lab, "first-well", two_displays(&lab, REMAPPING));
    assert!(first.starts_with("YES. "), "{first}");
    assert!(first.contains(CARD), "{first}");
    assert_eq!(session.verdict(CARD), "ready");
    let iommu = &session.result.assessment["iommu"];
    assert_eq!(iommu["vendor"], "intel");
    assert_eq!(iommu["active"], "yes");
    assert_eq!(iommu["interrupt_remapping"], "yes");
}

#[test]
fn a_machine_without_an_iommu_is_told_that_firmware_describes_none() {
    let Some(lab) = Lab::open() else { return };
    let (first, session) = look(&lab, "first-none", two_displays(&lab, Iommu::None));
    assert!(first.starts_with("NO. "), "{first}");
    assert!(first.contains("no IOMMU"), "{first}");
    assert_eq!(session.verdict(CARD), "blocked");
    let iommu = &session.result.assessment["iommu"];
    assert_eq!(iommu["vendor"], "none");
    assert_eq!(iommu["firmware"], "no");
    assert_eq!(iommu["active"], "no");
}

#[test]
fn an_iommu_without_interrupt_remapping_blocks_and_is_named_as_the_reason() {
    let Some(lab) = Lab::open() else { return };
    let iommu = Iommu::Intel {
        interrupt_remapping: false,
    };
    let (first, session) = look(&lab, "first-remapping", two_displays(&lab, iommu));
    assert!(first.starts_with("NO. "), "{first}");
    assert!(first.contains("not remapped"), "{first}");
    assert_eq!(session.verdict(CARD), "blocked");
    let iommu = &session.result.assessment["iommu"];
    assert_eq!(iommu["active"], "yes");
    assert_eq!(iommu["interrupt_remapping"], "no");
}

#[test]
fn the_rom_of_the_only_display_is_the_shadow_and_marked_as_tainted() {
    let Some(lab) = Lab::open() else { return };
    let rom = lab.card_rom.clone();
    let machine = Machine::q35()
        .iommu(REMAPPING)
        .display(Device::AtiVga { rom });
    let (first, session) = look(&lab, "first-shadow", machine);
    let display = "0000:00:02.0";
    assert!(first.starts_with("YES, WITH CARE. "), "{first}");
    assert!(first.contains(display), "{first}");
    assert_eq!(session.verdict(display), "caution");
    let function = session.function(display);
    assert_eq!(function["boot_vga"], true);
    assert_eq!(function["rom"]["state"], "read", "{function:#}");
    assert_eq!(function["rom"]["source"], "shadow");
    let taint = function["rom"]["taint"].as_str().unwrap();
    assert!(taint.contains("0xC0000"), "{taint}");
}
