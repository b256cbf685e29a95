//! What holds for every machine, however little sense it makes.

use std::collections::{BTreeMap, BTreeSet};

use hardware::{
    Bar, Cpu, Framebuffer, Function, Group, HostDevice, HostRole, Kernel, Link, LinkRate, Machine,
    Reading, ReservedRegion, RomReading, RomSource,
};
use pci::{Address, ClassCode, ConfigSpace, FunctionId};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::context::Context;
use crate::rules::{RULES, finding_ids};
use crate::{Assessment, Finding, NoNames, Severity, Verdict, assess};

fn reading<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Reading<T>> {
    prop_oneof![
        4 => value.prop_map(Reading::Known),
        1 => Just(Reading::Absent),
        1 => Just(Reading::Unknown("denied".into())),
    ]
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

/// Few places, so that functions meet on buses, in slots and in groups.
fn address() -> impl Strategy<Value = Address> {
    (0_u32..2, 0_u8..4, 0_u8..2, 0_u8..3).prop_map(|(domain, bus, device, function)| Address {
        domain,
        bus,
        device,
        function,
    })
}

fn class() -> impl Strategy<Value = ClassCode> {
    let classes = [
        0x03_00_00, 0x03_02_00, 0x04_03_00, 0x06_00_00, 0x06_04_00, 0x01_08_02, 0x02_00_00,
    ];
    prop_oneof![
        8 => prop::sample::select(classes.to_vec()).prop_map(ClassCode),
        1 => any::<u32>().prop_map(ClassCode),
    ]
}

fn bar(index: u8) -> impl Strategy<Value = Bar> {
    (
        prop_oneof![Just(0xc0000), any::<u64>()],
        any::<u64>(),
        any::<u64>(),
    )
        .prop_map(move |(start, end, flags)| Bar {
            index,
            start,
            end,
            flags,
        })
}

fn link() -> impl Strategy<Value = Link> {
    let rate = || (0_u8..20).prop_map(|width| LinkRate { speed: 8.0, width });
    (rate(), rate()).prop_map(|(current, max)| Link { current, max })
}

fn function() -> impl Strategy<Value = Function> {
    let place = (
        address(),
        class(),
        any::<(u16, u16)>(),
        reading(address()),
        reading(address()),
    );
    let state = (
        reading(one_of(&["amdgpu", "vfio-pci", "ahci"])),
        reading(link()),
        reading(vec(one_of(&["flr", "bus", "pm"]), 0..3)),
        reading(any::<bool>()),
        reading(0_u32..4),
    );
    let memory = (
        reading(vec(bar(0), 0..3)),
        reading(bar(6)),
        any::<bool>(),
        reading(vec(any::<u8>(), 0..300)),
    );
    (place, state, memory).prop_map(|(place, state, memory)| {
        let (address, class, (vendor, device), parent, physical_function) = place;
        let (driver, link, reset_methods, boot_vga, group) = state;
        let (bars, rom_region, has_rom_file, config) = memory;
        Function {
            address,
            id: FunctionId::new(vendor, device),
            subsystem: Reading::Absent,
            class,
            revision: Reading::Known(0),
            driver,
            numa_node: Reading::Absent,
            link,
            reset_methods,
            power_state: Reading::Absent,
            boot_vga,
            bars,
            rom_region,
            has_rom_file,
            config: config.map(ConfigSpace::new),
            slot: Reading::Absent,
            group,
            parent,
            physical_function,
            total_virtual_functions: Reading::Absent,
            ..Function::unknown(address, "not part of this test")
        }
    })
}

fn group() -> impl Strategy<Value = Group> {
    let region = (
        any::<u64>(),
        any::<u64>(),
        one_of(&["direct", "direct-relaxable", "msi"]),
    )
        .prop_map(|(start, end, kind)| ReservedRegion { start, end, kind });
    (0_u32..4, vec(address(), 0..4), reading(vec(region, 0..3))).prop_map(
        |(id, functions, reserved_regions)| Group {
            id,
            functions,
            reserved_regions,
        },
    )
}

fn host_device() -> impl Strategy<Value = HostDevice> {
    let roles = [
        HostRole::Disk,
        HostRole::BootStick,
        HostRole::Network,
        HostRole::Keyboard,
    ];
    let role = prop::sample::select(roles.to_vec());
    (role, address(), one_of(&["", "up", "down"])).prop_map(|(role, function, detail)| HostDevice {
        role,
        name: "name".to_owned(),
        function,
        detail,
    })
}

fn kernel() -> impl Strategy<Value = Kernel> {
    const OPTIONS: &[&str] = &[
        "",
        "intremap=off",
        "intel_iommu=on,igfx_off pcie_acs_override=downstream",
    ];
    const LINES: &[&str] = &[
        "DMAR-IR: Enabled IRQ remapping in x2apic mode",
        "AMD-Vi: Disabling interrupt remapping",
        "kvm: disabled by bios",
        "pci 0000:01:00.0: Video device with shadowed ROM",
        "",
    ];
    let release = reading(one_of(&["6.1.0-28-amd64", "6.8.4-2-pve", "?"]));
    (
        release,
        reading(one_of(OPTIONS)),
        reading(vec(one_of(LINES), 0..3)),
    )
        .prop_map(|(release, command_line, log)| Kernel {
            release,
            command_line,
            log,
        })
}

fn machine() -> impl Strategy<Value = Machine> {
    let tables = btree_map(
        one_of(&["DMAR", "IVRS", "APIC"]),
        reading(vec(any::<u8>(), 0..64)),
        0..3,
    );
    let platform = (
        kernel(),
        reading(one_of(&["GenuineIntel", "AuthenticAMD"])),
        reading(any::<bool>()),
        reading(any::<bool>()),
        reading(tables),
        reading(vec(one_of(&["dmar0", "ivhd0"]), 0..2)),
    );
    let framebuffer = (any::<u64>(), any::<u64>()).prop_map(|(start, end)| Framebuffer {
        start,
        end,
        owner: "BOOTFB".to_owned(),
    });
    let devices = (
        vec(function(), 0..12),
        reading(vec(group(), 0..4)),
        reading(vec(framebuffer, 0..2)),
        reading(vec(host_device(), 0..4)),
    );
    (platform, devices).prop_map(|(platform, devices)| {
        let (kernel, vendor, virtualization, hypervisor, tables, iommu_units) = platform;
        let (functions, groups, framebuffers, host_devices) = devices;
        let cpu = Cpu {
            vendor,
            virtualization,
            hypervisor,
            ..Cpu::default()
        };
        Machine {
            kernel,
            cpu,
            tables,
            iommu_units,
            functions,
            groups,
            framebuffers,
            host_devices,
            ..Machine::default()
        }
    })
}

fn roms() -> impl Strategy<Value = Option<Vec<RomReading>>> {
    let bytes = prop_oneof![
        Just(Ok(crate::testing::whole_rom())),
        vec(any::<u8>(), 0..200).prop_map(Ok),
        Just(crate::testing::rom_failure(
            hardware::FailureKind::InputOutput,
            "EIO"
        )),
    ];
    let source = prop_oneof![
        Just(RomSource::EfiStub),
        Just(RomSource::RomBar),
        Just(RomSource::NvidiaProm),
        Just(RomSource::Shadow)
    ];
    let reading = (address(), source, option::of(one_of(&["tainted"])), bytes).prop_map(
        |(address, source, taint, bytes)| RomReading {
            address,
            id: None,
            place: source.name().to_owned(),
            source,
            taint,
            bytes,
            not_restored: Vec::new(),
        },
    );
    option::of(vec(reading, 0..4))
}

fn verdict_by_findings(assessment: &Assessment, functions: &[Address]) -> Verdict {
    let about = |finding: &&Finding| finding.function.is_none_or(|f| functions.contains(&f));
    let findings: Vec<_> = assessment.findings.iter().filter(about).collect();
    let any = |test: fn(&Finding) -> bool| findings.iter().any(|finding| test(finding));
    if any(|finding| finding.severity == Severity::Blocks) {
        Verdict::Blocked
    } else if any(|finding| finding.unknown) {
        Verdict::Unknown
    } else if any(|finding| finding.severity == Severity::Caution) {
        Verdict::Caution
    } else {
        Verdict::Ready
    }
}

proptest! {
    #[test]
    fn a_verdict_is_the_worst_of_the_findings_about_the_card(machine in machine(), roms in roms()) {
        let assessment = assess(&machine, roms.as_deref(), &NoNames);
        for card in &assessment.cards {
            prop_assert_eq!(card.verdict, verdict_by_findings(&assessment, &card.functions));
        }
    }

    #[test]
    fn every_function_is_a_bridge_or_on_exactly_one_card(machine in machine()) {
        let assessment = assess(&machine, None, &NoNames);
        let mut seen = BTreeMap::new();
        for function in assessment.cards.iter().flat_map(|card| &card.functions) {
            *seen.entry(*function).or_insert(0) += 1;
        }
        for function in &assessment.functions {
            let expected = usize::from(!function.class.is_bridge());
            prop_assert_eq!(seen.get(&function.address).copied().unwrap_or(0), expected);
        }
    }

    #[test]
    fn a_finding_has_a_known_id_evidence_and_a_reason_to_be_unknown(
        machine in machine(),
        roms in roms(),
    ) {
        let ids: BTreeSet<_> = finding_ids().collect();
        for finding in assess(&machine, roms.as_deref(), &NoNames).findings {
            prop_assert!(ids.contains(&*finding.id), "{}", finding.id);
            prop_assert!(!finding.evidence.is_empty(), "{}", finding.id);
            prop_assert!(finding.summary.ends_with('.'), "{}", finding.summary);
            let area = finding.id.split('.').next().unwrap_or_default().to_owned();
            let decides = ["iommu", "remapping", "group", "host"].contains(&area.as_str());
            prop_assert!(decides || !finding.unknown, "{}", finding.id);
        }
    }

    #[test]
    fn a_rule_finds_only_what_it_says_it_can(machine in machine(), roms in roms()) {
        let options = crate::Options::default();
        let ctx = Context::new(&machine, roms.as_deref(), &NoNames, &options);
        for rule in RULES {
            for finding in (rule.judge)(&ctx) {
                let is_own = rule.ids.iter().any(|id| id.as_str() == finding.id);
                let is_rom_problem = option_rom::ProblemId::ALL
                    .iter()
                    .any(|entry| entry.name == finding.id);
                prop_assert!(is_own || is_rom_problem, "{}", finding.id);
            }
        }
    }
}
