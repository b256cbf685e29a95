//! What `lspci -vvv -n` prints for a function, worked out from its profile.

use cards::{BarKind, Capability, Express, ExtendedCapability, Function, Link};
use pci::{AcsBits, PortType};

/// Lines that stand in its section in this order, each with what must be in it; those of capabilities are
/// all there are.
pub fn lines(function: &Function, address: &str) -> Vec<String> {
    let mut lines = vec![heading(function, address), subsystem(function)];
    for (index, bar) in function.base_address_registers() {
        let size = size(bar.size());
        lines.push(match bar.kind() {
            BarKind::Io => format!("Region {index}: I/O ports at * [size={size}]"),
            BarKind::Memory32 => memory(*index, "32-bit, non-prefetchable", &size),
            BarKind::Memory64 => memory(*index, "64-bit, non-prefetchable", &size),
            BarKind::Prefetchable64 => memory(*index, "64-bit, prefetchable", &size),
        });
    }
    if let Some(length) = function.option_rom().map(cards::Rom::bar_length) {
        lines.push(format!(
            "Expansion ROM at * [disabled] [size={}]",
            size(length)
        ));
    }
    lines.extend(function.capabilities().iter().flat_map(capability));
    lines.extend(function.extended_capabilities().iter().flat_map(extended));
    lines
}

fn heading(function: &Function, address: &str) -> String {
    let short = address.trim_start_matches("0000:");
    let class = function.class_code().0 >> 8;
    let revision = match function.revision_id() {
        0 => String::new(),
        revision => format!(" (rev {revision:02x})"),
    };
    format!("{short} {class:04x}: {}{revision}", function.id())
}

fn subsystem(function: &Function) -> String {
    format!("Subsystem: {}", function.subsystem_id())
}

fn memory(index: u8, kind: &str, size: &str) -> String {
    format!("Region {index}: Memory at * ({kind}) [size={size}]")
}

fn size(bytes: u64) -> String {
    match bytes {
        0x10_0000.. => format!("{}M", bytes >> 20),
        0x400.. => format!("{}K", bytes >> 10),
        _ => bytes.to_string(),
    }
}

fn sign(set: bool) -> char {
    if set { '+' } else { '-' }
}

fn capability(capability: &Capability) -> Vec<String> {
    match capability {
        Capability::PowerManagement => vec![
            "Capabilities: [*] Power Management version 3".to_owned(),
            "Status: D0 NoSoftRst+".to_owned(),
        ],
        Capability::Msi { vectors_log2 } => {
            let vectors = 1 << vectors_log2;
            vec![format!(
                "Capabilities: [*] MSI: Enable- Count=1/{vectors} Maskable- 64bit+"
            )]
        }
        Capability::MsiX {
            vectors,
            bar,
            table,
            pending,
        } => vec![
            format!("Capabilities: [*] MSI-X: Enable- Count={vectors} Masked-"),
            format!("Vector table: BAR={bar} offset={table:08x}"),
            format!("PBA: BAR={bar} offset={pending:08x}"),
        ],
        Capability::Express(express) => express_lines(express),
        Capability::Vendor(bytes) => {
            let length = bytes.len() + 3;
            vec![format!(
                "Capabilities: [*] Vendor Specific Information: Len={length:02x}"
            )]
        }
    }
}

fn express_lines(express: &Express) -> Vec<String> {
    let kind = match express.port_type() {
        PortType::LegacyEndpoint => "Legacy Endpoint",
        PortType::Endpoint => "Endpoint",
        other => panic!("QEMU takes no {other:?}"),
    };
    let (maximum, current) = express.links();
    let link = |link: Link| {
        let speed = ["2.5", "5", "8", "16", "32"][usize::from(link.speed) - 1];
        format!("Speed {speed}GT/s, Width x{}", link.width)
    };
    vec![
        format!("Capabilities: [*] Express (v2) {kind}, MSI 00"),
        format!("FLReset{}", sign(express.resets())),
        format!("LnkCap: Port #0, {}", link(maximum)),
        format!("LnkSta: {}", link(current)),
    ]
}

fn extended(capability: &ExtendedCapability) -> Vec<String> {
    let (_, version) = capability.id();
    let named = |name: &str| format!("Capabilities: [* v{version}] {name}");
    match capability {
        ExtendedCapability::AdvancedErrors => vec![named("Advanced Error Reporting")],
        ExtendedCapability::SerialNumber(number) => {
            let bytes = number.to_be_bytes().map(|byte| format!("{byte:02x}"));
            vec![named(&format!("Device Serial Number {}", bytes.join("-")))]
        }
        ExtendedCapability::Vendor {
            id,
            revision,
            bytes,
        } => {
            let length = bytes.len() + 8;
            let what = format!("ID={id:04x} Rev={revision} Len={length:03x}");
            vec![named(&format!("Vendor Specific Information: {what}"))]
        }
        ExtendedCapability::AccessControl { capability, .. } => vec![
            named("Access Control Services"),
            format!("ACSCap: {}", access_control(*capability)),
        ],
        ExtendedCapability::AddressTranslation { queue_depth } => vec![
            named("Address Translation Service (ATS)"),
            format!("ATSCap: Invalidate Queue Depth: {queue_depth:02x}"),
        ],
        // QEMU shows its guest the current size alone.
        ExtendedCapability::ResizableBar { bar, current, .. } => {
            let megabytes = 1 << current;
            vec![
                named("Physical Resizable BAR"),
                format!("BAR {bar}: current size: {megabytes}MB, supported: {megabytes}MB"),
            ]
        }
        ExtendedCapability::LatencyTolerance => vec![named("Latency Tolerance Reporting")],
        ExtendedCapability::ProcessAddressSpace { width } => vec![
            named("Process Address Space ID (PASID)"),
            format!("PASIDCap: Exec+ Priv+, Max PASID Width: {width:02x}"),
        ],
        // QEMU hides them from its guest.
        ExtendedCapability::AlternativeRouting { .. }
        | ExtendedCapability::SingleRootIov { .. } => vec![],
        ExtendedCapability::Other { .. } => panic!("no name for {capability:?}"),
    }
}

/// lspci's names for the bits of ACS, from bit 0 on.
fn access_control(bits: AcsBits) -> String {
    let names = [
        "SrcValid",
        "TransBlk",
        "ReqRedir",
        "CmpltRedir",
        "UpstreamFwd",
        "EgressCtrl",
        "DirectTrans",
    ];
    let flags = (0..)
        .zip(names)
        .map(|(bit, name)| format!("{name}{}", sign(bits.has(1 << bit))));
    flags.collect::<Vec<_>>().join(" ")
}

/// Whether `line` has `wanted` in it, where a `*` stands for one word or part of it.
pub fn matches(line: &str, wanted: &str) -> bool {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = line.as_str();
    let mut parts = wanted.split('*');
    let Some(first) = parts.next() else {
        return false;
    };
    let Some(start) = rest.find(first) else {
        return false;
    };
    rest = &rest[start + first.len()..];
    parts.all(|part| {
        let end = rest.find(part);
        let gap = end.is_some_and(|end| !rest[..end].contains(' '));
        rest = end.map_or("", |end| &rest[end + part.len()..]);
        gap
    })
}

/// What is wrong with the section of `printed` that begins like the first of `lines`; empty when nothing.
pub fn differences(printed: &str, lines: &[String]) -> Vec<String> {
    let mut sections = printed.split("\n\n");
    let Some(section) = sections.find(|section| matches(section, &lines[0])) else {
        return vec![format!("no section '{}'", lines[0])];
    };
    let mut rest = section.lines();
    let mut wrong = Vec::new();
    for wanted in lines {
        let mut ahead = rest.clone();
        if ahead.any(|line| matches(line, wanted)) {
            rest = ahead;
        } else {
            wrong.push(format!("not printed, or not in its place: {wanted}"));
        }
    }
    let count = |text: &str| text.contains("Capabilities: [");
    let (there, wanted) = (
        section.lines().filter(|line| count(line)).count(),
        lines.iter().filter(|line| count(line)).count(),
    );
    if there != wanted {
        wrong.push(format!("{there} capabilities instead of {wanted}"));
    }
    wrong
}

#[test]
fn a_wrong_line_and_a_capability_too_many_are_named() {
    let printed = "01:00.0 0300: 10de:0fc6 (rev a1)\n\tCapabilities: [60] MSI: Enable-\n\
                   \tCapabilities: [68] Express (v2) Endpoint, MSI 00\n\t\tLnkSta:\tSpeed 8GT/s, Width x16\n\n\
                   01:00.1 0403: 10de:0e1b\n";
    let wanted = |last: &str| {
        let express = "Capabilities: [*] Express (v2) Endpoint";
        ["0300: 10de:0fc6", "Capabilities: [*] MSI:", express, last].map(str::to_owned)
    };
    let none: [String; 0] = [];
    assert_eq!(
        differences(printed, &wanted("LnkSta: Speed 8GT/s, Width x16")),
        none
    );
    let narrow = differences(printed, &wanted("LnkSta: Speed 8GT/s, Width x8"));
    assert_eq!(
        narrow,
        ["not printed, or not in its place: LnkSta: Speed 8GT/s, Width x8"]
    );
    let few = ["0300: 10de:0fc6", "Capabilities: [*] MSI:"].map(str::to_owned);
    assert_eq!(differences(printed, &few), ["2 capabilities instead of 1"]);
    let none_there = differences(printed, &["0300: 1002:67df".to_owned()]);
    assert_eq!(none_there, ["no section '0300: 1002:67df'"]);
}
