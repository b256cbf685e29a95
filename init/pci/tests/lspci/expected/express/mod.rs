//! The Express capability.

mod device;
mod link;
mod slot;

use pci::{Address, Decoded, Express, PortType};

use super::Expected;

const L0S: [&str; 8] = [
    "<64ns",
    "<128ns",
    "<256ns",
    "<512ns",
    "<1us",
    "<2us",
    "<4us",
    "unlimited",
];
const L1: [&str; 8] = [
    "<1us",
    "<2us",
    "<4us",
    "<8us",
    "<16us",
    "<32us",
    "<64us",
    "unlimited",
];

fn at(table: &[&'static str], code: impl Into<u32>) -> &'static str {
    table[code.into() as usize]
}

pub fn express(address: Address, decoded: &Decoded, express: &Express) -> Vec<Expected> {
    let kind = express.flags.port_type();
    let message = express.flags.interrupt_message();
    let mut lines = vec![
        Expected::line("Express")
            .field(format!("v{}", express.flags.version()))
            .field(type_name(kind))
            .either([format!("MSI {message:02x}"), format!("IntMsgNum {message}")])
            .when(kind.has_slot(), |line| {
                line.flags([("Slot", express.flags.slot_implemented())])
            }),
    ];
    lines.extend(device::device(kind, express.device));
    if let Some(registers) = express.link {
        lines.extend(link::link(kind, registers));
    }
    if let Some(registers) = express.slot {
        lines.extend(slot::slot(registers));
    }
    if let Some(registers) = express.root {
        lines.extend(slot::root(registers));
    }
    if let Some(registers) = express.device2 {
        lines.extend(device::device2(kind, decoded, registers));
    }
    if let Some(registers) = express.link2 {
        lines.extend(link::link2(kind, address, registers));
    }
    lines
}

fn type_name(kind: PortType) -> &'static str {
    match kind {
        PortType::Endpoint => "Endpoint",
        PortType::LegacyEndpoint => "Legacy Endpoint",
        PortType::RootPort => "Root Port",
        PortType::UpstreamPort => "Upstream Port",
        PortType::DownstreamPort => "Downstream Port",
        PortType::PcieToPciBridge => "PCI-Express to PCI/PCI-X Bridge",
        PortType::PciToPcieBridge => "PCI/PCI-X to PCI-Express Bridge",
        PortType::RootComplexEndpoint => "Root Complex Integrated Endpoint",
        PortType::EventCollector => "Root Complex Event Collector",
        PortType::Other(_) => "Unknown type",
    }
}

/// Watts as C's `%g` writes them. Steps above 300 W are new in the specification and in lspci.
fn watts(milliwatts: Option<u32>) -> Option<String> {
    let milliwatts = milliwatts.filter(|power| *power <= 300_000)?;
    Some(format!("{}W", f64::from(milliwatts) / 1000.0))
}

fn power(line: Expected, name: &str, milliwatts: Option<u32>) -> Expected {
    match watts(milliwatts) {
        Some(watts) => line.field(format!("{name} {watts}")),
        None => line,
    }
}
