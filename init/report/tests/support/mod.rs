//! Assessments of small machines, as the rules would write them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(dead_code, reason = "each test file uses a part of it")]

use assess::{
    AcsSummary, Answer, Assessment, Card, Finding, FunctionSummary, GroupSource, GroupSummary,
    Iommu, IommuVendor, IsolationSummary, KernelSummary, MachineSummary, RomChoice, RomCopy,
    RomSummary, Severity, Verdict,
};
use hardware::{FirmwareKind, Link, LinkRate, RomSource};
use option_rom::Rom;
use pci::{Address, ClassCode, FunctionId};

pub const GPU: &str = "0000:01:00.0";
pub const BOOT_VGA: &str = "0000:00:02.0";
pub const DISK: &str = "0000:02:00.0";
pub const NIC: &str = "0000:00:03.0";

pub fn at(address: &str) -> Address {
    address.parse().unwrap()
}

pub fn function(address: &str, id: &str, class: u32, name: &str) -> FunctionSummary {
    let id: FunctionId = id.parse().unwrap();
    FunctionSummary {
        address: at(address),
        vendor: id.vendor,
        device: id.device,
        class: ClassCode(class),
        name: (!name.is_empty()).then(|| name.to_owned()),
        driver: None,
        group: None,
        acs: AcsSummary::Absent,
        isolation: IsolationSummary::default(),
        reset: Some(vec!["pm".to_owned(), "bus".to_owned()]),
        link: None,
        boot_vga: false,
        rom: RomSummary::Absent,
    }
}

/// A ROM of one x86 image.
pub fn rom() -> Rom {
    let mut bytes = vec![0_u8; 59_904];
    bytes[..3].copy_from_slice(&[0x55, 0xaa, 117]);
    bytes[0x18] = 0x40;
    bytes[0x40..0x44].copy_from_slice(b"PCIR");
    bytes[0x4a] = 0x18;
    bytes[0x50] = 117;
    bytes[0x55] = 0x80;
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[6] = 0_u8.wrapping_sub(sum);
    Rom::parse(&bytes)
}

pub fn rom_copy(source: RomSource, taint: Option<&str>) -> RomSummary {
    let copy = RomCopy {
        source,
        place: format!("/sys/bus/pci/devices/{GPU}/rom"),
        taint: taint.map(str::to_owned),
        length: 59_904,
        sha256: "4d3a1c0e".repeat(8),
        rom: rom(),
    };
    RomSummary::Read(Box::new(RomChoice {
        copy,
        why: "The ROM BAR is chosen: it is good.".to_owned(),
        copies: Vec::new(),
    }))
}

pub fn finding(
    id: &'static str,
    severity: Severity,
    about: Option<&str>,
    summary: &str,
) -> Finding {
    Finding {
        id: id.into(),
        severity,
        unknown: false,
        function: about.map(at),
        summary: summary.to_owned(),
        evidence: Vec::new(),
        remedy: None,
    }
}

/// A boot display, a graphics card behind a root port, an NVMe disk and a network card, all well.
pub fn machine() -> Assessment {
    let mut gpu = function(
        GPU,
        "1002:5046",
        0x03_00_00,
        "Advanced Micro Devices, Inc. [AMD/ATI] Rage 4 [Rage 128 PRO AGP 4X]",
    );
    gpu.rom = rom_copy(RomSource::RomBar, None);
    gpu.link = Some(Link {
        current: LinkRate {
            speed: 2.5,
            width: 1,
        },
        max: LinkRate {
            speed: 16.0,
            width: 16,
        },
    });
    let mut boot = function(BOOT_VGA, "1234:1111", 0x03_00_00, "Technical Corp.");
    boot.boot_vga = true;
    boot.rom = rom_copy(
        RomSource::Shadow,
        Some("what the firmware left at 0xC0000 after it ran; it may differ from the flash"),
    );
    let mut disk = function(
        DISK,
        "1b36:0010",
        0x01_08_02,
        "Red Hat, Inc. QEMU NVM Express Controller",
    );
    disk.driver = Some("nvme".to_owned());
    let nic = function(
        NIC,
        "8086:10d3",
        0x02_00_00,
        "Intel Corporation 82574L Gigabit Network Connection",
    );
    let port = function(
        "0000:00:01.0",
        "1b36:000c",
        0x06_04_00,
        "Red Hat, Inc. QEMU PCIe Root port",
    );
    let mut assessment = Assessment {
        schema: "preflight.assessment/1".to_owned(),
        machine: MachineSummary {
            board: Some("ASUSTeK COMPUTER INC. PRIME Z690-P".to_owned()),
            bios: Some("2212, 12/13/2022".to_owned()),
            cpu: Some("12th Gen Intel(R) Core(TM) i5-12400".to_owned()),
            firmware: Some(FirmwareKind::Uefi),
        },
        kernel: KernelSummary {
            release: Some("6.1.0-28-amd64".to_owned()),
            command_line: Some("intel_iommu=on".to_owned()),
        },
        iommu: Iommu {
            vendor: IommuVendor::Intel,
            firmware: Answer::Yes,
            active: Answer::Yes,
            interrupt_remapping: Answer::Yes,
            x2apic_opt_out: false,
            dma_opt_in: Answer::No,
            address_width: Some(39),
            units: vec!["dmar0".to_owned()],
            unit_details: Vec::new(),
            ats: assess::AtsSummary::default(),
            reserved_regions: Vec::new(),
        },
        acs_override: "none".to_owned(),
        judged_by: GroupSource::Kernel,
        prediction_model: "Linux 6.12".to_owned(),
        groups: Vec::new(),
        groups_predicted: Vec::new(),
        cards: [BOOT_VGA, GPU, NIC, DISK].map(card).into(),
        functions: vec![port, boot, nic, gpu, disk],
        findings: Vec::new(),
    };
    assessment.cards[1].port = Some(at("0000:00:01.0"));
    assessment.cards[1].slot = Some("PCIEX16_1".to_owned());
    set_groups(
        &mut assessment,
        &[&["0000:00:01.0"], &[BOOT_VGA], &[NIC], &[GPU], &[DISK]],
    );
    add(
        &mut assessment,
        Severity::Caution,
        "display.firmware-screen",
        Some(BOOT_VGA),
        "The firmware shows its screen on this card, so the host loses it.",
    )
    .remedy = Some("Choose another primary display in the firmware setup.".into());
    let disk = "It carries a disk of the host: nvme0n1.";
    add(
        &mut assessment,
        Severity::Caution,
        "host.disk",
        Some(DISK),
        disk,
    );
    let rom = "Its ROM has no EFI image.";
    add(
        &mut assessment,
        Severity::Note,
        "rom.no-efi",
        Some(GPU),
        rom,
    )
    .remedy = Some(
        "A guest with OVMF shows nothing until its driver runs; use SeaBIOS, or a ROM with an EFI \
         image."
            .into(),
    );
    assessment
}

fn card(address: &str) -> Card {
    Card {
        slot: None,
        port: None,
        functions: vec![at(address)],
        verdict: Verdict::Ready,
        findings: Vec::new(),
    }
}

pub fn set_groups(assessment: &mut Assessment, groups: &[&[&str]]) {
    let numbered = (0_u32..).zip(groups);
    assessment.groups = numbered
        .map(|(id, members)| GroupSummary {
            id,
            source: GroupSource::Kernel,
            functions: members.iter().map(|address| at(address)).collect(),
        })
        .collect();
    for function in &mut assessment.functions {
        let group = assessment
            .groups
            .iter()
            .find(|group| group.functions.contains(&function.address));
        function.group = group.map(|group| group.id);
    }
}

/// Adds a finding and lets it count for the cards that it speaks about.
pub fn add<'a>(
    assessment: &'a mut Assessment,
    severity: Severity,
    id: &'static str,
    about: Option<&str>,
    summary: &str,
) -> &'a mut Finding {
    let finding = finding(id, severity, about, summary);
    let verdict = match severity {
        Severity::Blocks => Verdict::Blocked,
        Severity::Caution => Verdict::Caution,
        Severity::Note => Verdict::Ready,
    };
    let function = finding.function;
    for card in &mut assessment.cards {
        if function.is_none_or(|address| card.functions.contains(&address)) {
            card.verdict = card.verdict.max(verdict);
            card.findings.push(id.into());
        }
    }
    assessment.findings.push(finding);
    assessment.findings.sort_by_key(|finding| finding.function);
    let position = assessment
        .findings
        .iter()
        .position(|finding| finding.id == id && finding.function == function);
    &mut assessment.findings[position.unwrap()]
}

/// Like [`add`], for what could not be read.
pub fn add_unknown<'a>(
    assessment: &'a mut Assessment,
    id: &'static str,
    about: Option<&str>,
    summary: &str,
) -> &'a mut Finding {
    for card in &mut assessment.cards {
        if about.is_none_or(|address| card.functions.contains(&at(address))) {
            card.verdict = card.verdict.max(Verdict::Unknown);
        }
    }
    let finding = add(assessment, Severity::Caution, id, about, summary);
    finding.unknown = true;
    finding
}

pub fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
