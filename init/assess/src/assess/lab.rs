//! Whole machines as the lab has them, and the first thing that a person wants to know of each.

use hardware::{HostRole, Reading, RomSource};
use pci::FunctionId;

use crate::testing::{Builder, GPU, address, legacy_rom, rom_reading};
use crate::{Answer, Assessment, Card, GroupSource, GroupSummary, Severity, Verdict};

const BOOT_VGA: &str = "00:02.0";
const NVME: &str = "00:03.0";
const NIC: &str = "00:04.0";
const USB: &str = "00:05.0";

/// q35 with a VGA as boot display, `ati-vga` behind a root port, a NIC, an NVMe disk and a stick.
fn q35() -> Builder {
    let mut with_boot_display = Builder::good()
        .add(BOOT_VGA, 0x03_00_00)
        .add(NVME, 0x01_08_02)
        .add(NIC, 0x02_00_00)
        .add(USB, 0x0c_03_30)
        .add("00:1f.0", 0x06_01_00)
        .add("00:1f.2", 0x01_06_01)
        .add("00:1f.3", 0x0c_05_00)
        .change(BOOT_VGA, |vga| {
            vga.id = FunctionId::new(0x1234, 0x1111);
            vga.boot_vga = Reading::Known(true);
        })
        .change(NVME, |nvme| nvme.driver = Reading::Known("nvme".into()))
        .change(USB, |usb| usb.driver = Reading::Known("xhci_hcd".into()))
        .change("00:1f.2", |ahci| {
            ahci.driver = Reading::Known("ahci".into())
        })
        .change("00:1f.3", |smbus| {
            smbus.reset_methods = Reading::Absent;
            smbus.rom_region = Reading::Absent;
            smbus.has_rom_file = false;
        })
        .host_device(HostRole::Disk, "nvme0n1", NVME, "QEMU NVMe Ctrl, 64 MB")
        .host_device(HostRole::Network, "eth0", NIC, "down")
        .host_device(HostRole::BootStick, "sda", USB, "QEMU HARDDISK, 64 MB");
    // As sysfs gives it to QEMU's VGA: the legacy copy and nothing else.
    with_boot_display = with_boot_display.change(BOOT_VGA, |vga| {
        vga.rom_region = vga.rom_region.clone().map(|region| hardware::Bar {
            start: 0xc0000,
            end: 0xdffff,
            ..region
        });
    });
    with_boot_display.roms(vec![rom_reading(GPU, legacy_rom()), shadow(BOOT_VGA)])
}

fn shadow(place: &str) -> hardware::RomReading {
    let mut reading = rom_reading(place, legacy_rom());
    reading.source = RomSource::Shadow;
    reading.taint = Some("the legacy copy at 0xC0000".into());
    reading
}

fn card<'a>(assessment: &'a Assessment, place: &str) -> &'a Card {
    let address = address(place);
    assessment
        .cards
        .iter()
        .find(|card| card.functions.contains(&address))
        .unwrap()
}

fn blocking(assessment: &Assessment) -> Vec<&str> {
    let blocks = assessment
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Blocks);
    blocks.map(|finding| &*finding.id).collect()
}

#[test]
fn where_all_is_well_the_graphics_card_is_ready() {
    let assessment = q35().assess();
    let ati = card(&assessment, GPU);
    assert_eq!(
        (ati.verdict, ati.findings.as_slice()),
        (Verdict::Ready, &["rom.no-efi-image".into()][..])
    );
    assert_eq!(ati.port, Some(address("00:01.0")));
    assert_eq!(card(&assessment, BOOT_VGA).verdict, Verdict::Caution);
    assert_eq!(card(&assessment, NVME).verdict, Verdict::Caution);
    assert_eq!(card(&assessment, USB).verdict, Verdict::Ready);
    assert!(blocking(&assessment).is_empty());
    assert_eq!(assessment.iommu.interrupt_remapping, Answer::Yes);
    assert!(
        assessment
            .groups
            .iter()
            .all(|group| group.source == GroupSource::Kernel)
    );
}

#[test]
fn without_an_iommu_one_finding_blocks_every_card() {
    let assessment = q35().without_iommu().assess();
    assert_eq!(blocking(&assessment), ["iommu.firmware-off"]);
    assert_eq!(assessment.findings[0].id, "iommu.firmware-off");
    assert!(
        assessment
            .cards
            .iter()
            .all(|card| card.verdict == Verdict::Blocked)
    );
    let predicted = |group: &GroupSummary| group.source == GroupSource::Predicted;
    assert!(assessment.groups.iter().all(predicted));
    let gpus = [address(GPU)];
    assert!(
        assessment
            .groups
            .iter()
            .any(|group| group.functions == gpus)
    );
}

#[test]
fn without_interrupt_remapping_one_finding_blocks_every_card() {
    let assessment = q35()
        .log(&["DMAR: Host address width 39"])
        .dmar_flags(0)
        .assess();
    assert_eq!(blocking(&assessment), ["remapping.missing"]);
    assert_eq!(card(&assessment, GPU).verdict, Verdict::Blocked);
    assert_eq!(assessment.iommu.active, Answer::Yes);
}

#[test]
fn the_only_card_as_boot_display_is_a_caution_and_its_rom_is_tainted() {
    let machine = Builder::good()
        .boot_gpu()
        .rom_at(0xc0000)
        .roms(vec![shadow(GPU)]);
    let assessment = machine.assess();
    let gpu = card(&assessment, GPU);
    assert_eq!(gpu.verdict, Verdict::Caution);
    assert_eq!(
        gpu.findings,
        ["boot-gpu.shadowed-rom", "boot-gpu.only-display"]
    );
    let function = assessment
        .functions
        .iter()
        .find(|f| f.address == address(GPU))
        .unwrap();
    assert!(
        matches!(&function.rom, crate::RomSummary::Read(choice) if choice.copy.taint.is_some())
    );
}

#[test]
fn a_live_host_read_by_a_user_is_unknown_and_never_fine() {
    let machine = q35().log_unread().roms_unread().framebuffers_unread();
    let assessment = machine
        .change(BOOT_VGA, |vga| vga.boot_vga = Reading::Known(true))
        .assess();
    let gpu = card(&assessment, GPU);
    assert_eq!(gpu.verdict, Verdict::Unknown);
    assert_eq!(gpu.findings, ["remapping.unknown", "rom.unread"]);
}

#[test]
fn bridges_are_no_cards_and_displays_come_first() {
    let cards = q35().assess().cards;
    let firsts: Vec<String> = cards
        .iter()
        .map(|card| card.functions[0].to_string())
        .collect();
    let expected = [
        "00:02.0", "01:00.0", "00:03.0", "00:04.0", "00:05.0", "00:1f.2",
    ];
    assert_eq!(firsts, expected.map(|place| format!("0000:{place}")));
}

#[test]
fn findings_of_the_machine_come_first_and_then_the_worst_of_each_function() {
    let assessment = q35()
        .virtualization(Reading::Known(false))
        .in_group(&[GPU, NVME])
        .assess();
    let order: Vec<_> = assessment
        .findings
        .iter()
        .map(|finding| (finding.function, std::cmp::Reverse(finding.severity)))
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(assessment.findings[0].id, "cpu.no-virtualization");
    assert_eq!(card(&assessment, GPU).findings[0], "cpu.no-virtualization");
    assert_eq!(card(&assessment, GPU).verdict, Verdict::Blocked);
}

#[test]
fn an_assessment_survives_the_way_through_json() {
    let assessment = q35().assess();
    let text = serde_json::to_string(&assessment).unwrap();
    assert_eq!(
        serde_json::from_str::<Assessment>(&text).unwrap(),
        assessment
    );
    assert!(text.starts_with(r#"{"schema":"preflight.assessment/1""#));
}
