use pci::{AcsBits, BridgeBuses, FunctionId, PortType};

use super::record::Record;
use crate::LinkRate;

/// Takes one line below a function's first one (lspci.c `show_verbose`, ls-caps.c, ls-ecaps.c). Says
/// whether it was known: words of people around a listing have colons, too.
pub(super) fn read(record: &mut Record, line: &str) -> bool {
    let known = without_key(record, line)
        || line
            .split_once(':')
            .is_some_and(|(key, value)| with_key(record, line, key, value.trim()));
    record.verbose |= known;
    known
}

fn with_key(record: &mut Record, line: &str, key: &str, value: &str) -> bool {
    match key {
        "Subsystem" => {
            record.has_subsystem_line = true;
            record.subsystem = ids(value);
        }
        "Control" => return value.starts_with("I/O"),
        "Flags" => return flags(record, value),
        "Status" => return status(record, value),
        "Bus" => {
            record.buses = buses(value).or(record.buses);
            return record.buses.is_some();
        }
        "Capabilities" => return capability(record, value),
        "ACSCap" => record.acs.capability = Some(acs_bits(value)),
        "ACSCtl" => record.acs.control = Some(acs_bits(value)),
        "LnkCap" => record.link_max = link_rate(value),
        "LnkSta" => record.link_current = link_rate(value),
        "Initial VFs" => {
            record.sriov.total = number_after(line, "Total VFs: ");
            record.sriov.enabled = number_after(line, "Number of VFs: ");
        }
        "VF offset" => {
            record.sriov.offset = number_after(line, "VF offset: ");
            record.sriov.stride = number_after(line, "stride: ");
        }
        "IOMMU group" => {
            record.group = value.parse().ok().or(record.group);
            record.live = true;
        }
        "NUMA node" => {
            record.numa_node = value.parse().ok();
            record.live = true;
        }
        "Physical Slot" => {
            record.slot = Some(value.to_owned());
            record.live = true;
        }
        "Kernel driver in use" => {
            record.driver = value.split_whitespace().next().map(str::to_owned);
            record.live = true;
        }
        "Kernel modules" => record.live = true,
        _ if key.starts_with("Region ") => {
            if !record.capabilities.printed {
                record.regions.numbered(key, value);
            }
        }
        // Whatever else has a colon is some register that is not asked for here.
        _ => return record.verbose,
    }
    true
}

/// Lines that lspci prints without `name:`.
fn without_key(record: &mut Record, line: &str) -> bool {
    if let Some(what) = line.strip_prefix("!!! ") {
        record.gone |= what.starts_with("Unknown header type 7f");
        return true;
    }
    let is_region = line.starts_with("Memory at ") || line.starts_with("I/O ports at ");
    if is_region {
        // The base registers come before the capabilities; those of virtual functions do not.
        if !record.capabilities.printed {
            record.regions.unnumbered(line);
        }
        return true;
    }
    let rom = line.strip_prefix("[virtual] ").unwrap_or(line);
    let Some(rom) = rom.strip_prefix("Expansion ROM at ") else {
        return false;
    };
    record.regions.rom(rom);
    true
}

/// `-v` puts into one line what `-vv` spreads over several.
fn flags(record: &mut Record, value: &str) -> bool {
    for flag in value.split(", ") {
        if let Some(group) = flag.strip_prefix("IOMMU group ") {
            record.group = group.trim().parse().ok();
            record.live = true;
        } else if let Some(node) = flag.strip_prefix("NUMA node ") {
            record.numa_node = node.trim().parse().ok();
            record.live = true;
        }
    }
    value.contains("devsel")
}

/// The status register, or the state in the power management capability.
fn status(record: &mut Record, value: &str) -> bool {
    const STATES: &[(&str, &str)] = &[("D0", "D0"), ("D1", "D1"), ("D2", "D2"), ("D3", "D3hot")];
    let word = value.split_whitespace().next().unwrap_or_default();
    match word {
        "Cap+" => record.capabilities.has_list = Some(true),
        "Cap-" => record.capabilities.has_list = Some(false),
        _ => {
            let state = STATES.iter().find(|(printed, _)| word == *printed);
            let Some((_, state)) = state else {
                return false;
            };
            record.power_state = Some(state);
        }
    }
    true
}

/// `[vvvv:dddd]` at the end, or `vvvv:dddd` alone.
pub(super) fn ids(value: &str) -> Option<FunctionId> {
    memchr::memchr(b':', value.as_bytes())?;
    let in_brackets = value
        .rsplit('[')
        .find_map(|part| part.split_once(']')?.0.parse().ok());
    in_brackets.or_else(|| value.split_whitespace().find_map(|word| word.parse().ok()))
}

/// `primary=00, secondary=01, subordinate=01, sec-latency=0`
fn buses(value: &str) -> Option<BridgeBuses> {
    let number = |name: &str| {
        let (_, behind) = value.split_once(name)?;
        u8::from_str_radix(behind.get(..2)?, 16).ok()
    };
    Some(BridgeBuses {
        primary: number("primary=")?,
        secondary: number("secondary=")?,
        subordinate: number("subordinate=")?,
    })
}

/// Device and port types as ls-caps.c `cap_express` names them.
const PORT_TYPES: &[(&str, PortType)] = &[
    ("Endpoint", PortType::Endpoint),
    ("Legacy Endpoint", PortType::LegacyEndpoint),
    ("Root Port", PortType::RootPort),
    ("Upstream Port", PortType::UpstreamPort),
    ("Downstream Port", PortType::DownstreamPort),
    ("PCI-Express to PCI/PCI-X Bridge", PortType::PcieToPciBridge),
    ("PCI/PCI-X to PCI-Express Bridge", PortType::PciToPcieBridge),
    (
        "Root Complex Integrated Endpoint",
        PortType::RootComplexEndpoint,
    ),
    ("Root Complex Event Collector", PortType::EventCollector),
];

/// `[58] Express (v2) Root Port (Slot+), MSI 00`, `[2a0 v1] Access Control Services`, `<access denied>`.
fn capability(record: &mut Record, value: &str) -> bool {
    if value.starts_with("<access denied>") {
        record.capabilities.denied = true;
        return true;
    }
    let Some((place, name)) = value
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    else {
        return false;
    };
    let offset = place.split_whitespace().next().unwrap_or_default();
    let Ok(offset) = u16::from_str_radix(offset, 16) else {
        return false;
    };
    record.capabilities.printed = true;
    record.capabilities.extended |= offset >= 0x100;
    let name = name.trim();
    if let Some(rest) = name.strip_prefix("Express ") {
        // `-vv` has the version before the type.
        let kind = match rest.split_once(") ") {
            Some((version, kind)) if version.starts_with("(v") => kind,
            _ => rest,
        };
        let known = PORT_TYPES.iter().find(|(name, _)| kind.starts_with(name));
        record.port_type = known.map(|(_, kind)| *kind);
    } else if name.starts_with("Access Control Services") {
        record.acs.named = true;
    } else if name.starts_with("Single Root I/O Virtualization") {
        record.sriov.named = true;
    }
    true
}

/// Flags of the ACS capability, by bit (ls-ecaps.c `cap_acs`).
const ACS_FLAGS: [&str; 7] = [
    "SrcValid+",
    "TransBlk+",
    "ReqRedir+",
    "CmpltRedir+",
    "UpstreamFwd+",
    "EgressCtrl+",
    "DirectTrans+",
];

fn acs_bits(value: &str) -> AcsBits {
    let bits = value.split_whitespace().filter_map(|word| {
        let bit = ACS_FLAGS.iter().position(|flag| *flag == word)?;
        Some(1_u16 << bit)
    });
    AcsBits(bits.fold(0, |all, bit| all | bit))
}

/// `Port #0, Speed 8GT/s, Width x16, ASPM L1` or `Speed 2.5GT/s (downgraded), Width x16 (ok)`; 0 where
/// lspci says unknown.
fn link_rate(value: &str) -> Option<LinkRate> {
    let (_, speed) = value.split_once("Speed ")?;
    let (speed, width) = speed.split_once("Width x")?;
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        text.get(..end.unwrap_or(text.len()))
            .unwrap_or_default()
            .to_owned()
    };
    Some(LinkRate {
        speed: digits(speed)
            .parse()
            .ok()
            .filter(|speed| (0.0..=1024.0).contains(speed))
            .unwrap_or(0.0),
        width: digits(width).parse().unwrap_or(0),
    })
}

fn number_after(line: &str, word: &str) -> Option<u16> {
    let (_, behind) = line.split_once(word)?;
    let end = behind.find(|c: char| !c.is_ascii_digit());
    behind.get(..end.unwrap_or(behind.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(lines: &[&str]) -> Record {
        let mut record = Record::default();
        for line in lines {
            record.text(line);
        }
        record
    }

    #[test]
    fn every_kind_of_port_is_known_by_its_printed_name() {
        for (name, kind) in PORT_TYPES {
            for line in [
                format!("Capabilities: [58] Express (v2) {name} (Slot+), MSI 00"),
                format!("Capabilities: [58] Express {name}, MSI 00"),
            ] {
                assert_eq!(record(&[&line]).port_type, Some(*kind), "{line}");
            }
        }
        let other = record(&["Capabilities: [58] Express (v2) Unknown type 12, MSI 00"]);
        assert_eq!(other.port_type, None);
    }

    #[test]
    fn acs_is_read_bit_by_bit() {
        let record = record(&[
            "Capabilities: [2a0 v1] Access Control Services",
            "ACSCap: SrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans+",
            "ACSCtl: SrcValid+ TransBlk- ReqRedir- CmpltRedir- UpstreamFwd+ EgressCtrl- DirectTrans-",
        ]);
        assert!(record.acs.named && record.capabilities.extended);
        assert_eq!(record.acs.capability, Some(AcsBits(0x5f)));
        assert_eq!(record.acs.control, Some(AcsBits(0x11)));
    }

    #[test]
    fn what_one_v_prints_in_a_line_is_what_three_print_in_several() {
        let short =
            record(&["Flags: bus master, fast devsel, IRQ 24, NUMA node 1, IOMMU group 14"]);
        let long = record(&["NUMA node: 1", "IOMMU group: 14"]);
        assert_eq!((short.group, short.numa_node), (Some(14), Some(1)));
        assert_eq!((long.group, long.numa_node), (Some(14), Some(1)));
    }

    #[test]
    fn a_links_speed_and_width_are_read_and_unknown_ones_are_zero() {
        let rate = |text| link_rate(text).map(|rate| (rate.speed, rate.width));
        assert_eq!(
            rate("Port #0, Speed 8GT/s, Width x16, ASPM L0s L1"),
            Some((8.0, 16))
        );
        assert_eq!(
            rate("Speed 2.5GT/s (downgraded), Width x4 (downgraded)"),
            Some((2.5, 4))
        );
        assert_eq!(rate("Port #0, Speed unknown, Width x0"), Some((0.0, 0)));
        assert_eq!(rate("nothing"), None);
    }

    #[test]
    fn the_regions_of_virtual_functions_are_not_the_functions_own() {
        let record = record(&[
            "Region 0: Memory at f6000000 (32-bit, non-prefetchable) [size=16M]",
            "Capabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)",
            "Initial VFs: 8, Total VFs: 8, Number of VFs: 2, Function Dependency Link: 00",
            "VF offset: 128, stride: 2, Device ID: 10ca",
            "Region 0: Memory at 00000000e0840000 (64-bit, non-prefetchable)",
        ]);
        assert_eq!(record.regions.bars().unwrap().len(), 1);
        let sriov = record.sriov;
        assert_eq!((sriov.total, sriov.enabled), (Some(8), Some(2)));
        assert_eq!((sriov.offset, sriov.stride), (Some(128), Some(2)));
    }
}
