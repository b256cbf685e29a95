use hardware::{Function, Reading};
use pci::{Address, PortType};
use serde::Serialize;

use crate::topology::Topology;

/// Whose lanes a port has. Told by ids, since no register tells: it is right for the boards in the tables
/// here, and unknown for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attachment {
    /// The processor's.
    Processor,
    /// The chipset's, which share one link to the processor.
    Chipset,
    /// It cannot be told.
    Unknown,
}

const INTEL: u16 = 0x8086;
const AMD: u16 = 0x1022;

/// Upstream ports of AMD chipsets: series 300 to 800, X570.
const AMD_CHIPSET_SWITCHES: &[(u16, u16)] = &[(0x43b0, 0x43ff), (0x57ad, 0x57ad)];
/// Root ports of AMD southbridges (Hudson).
const AMD_SOUTHBRIDGE_PORTS: &[(u16, u16)] = &[(0x43a0, 0x43a3)];
/// Root ports of AMD processors since family 12h.
const AMD_PROCESSOR_PORTS: &[(u16, u16)] = &[(0x13e0, 0x17ff)];
/// Root ports of Intel northbridges, from before the processor had any.
const INTEL_NORTHBRIDGE_PORTS: &[(u16, u16)] =
    &[(0x2580, 0x2eff), (0x3403, 0x3421), (0x3595, 0x360a)];

/// Device numbers that Intel chipsets have their root ports at, since series 5, and processors theirs.
const INTEL_CHIPSET_DEVICES: std::ops::RangeInclusive<u8> = 0x1a..=0x1d;
const INTEL_PROCESSOR_DEVICES: std::ops::RangeInclusive<u8> = 0x01..=0x08;

/// Whose lanes this port has.
pub(crate) fn attachment(topology: &Topology, port: Address) -> Attachment {
    let own = topology.function(port);
    let chain = own.into_iter().chain(topology.path_up(port));
    let mut root = None;
    for bridge in chain {
        if is_chipset_switch(bridge) {
            return Attachment::Chipset;
        }
        root = Some(bridge);
    }
    root.map_or(Attachment::Unknown, of_root_port)
}

/// The upstream port of a chipset, which is soldered to the board.
pub(crate) fn is_chipset_switch(bridge: &Function) -> bool {
    bridge.id.vendor.0 == AMD
        && is_in(AMD_CHIPSET_SWITCHES, bridge.id.device.0)
        && bridge.port_type() == Reading::Known(PortType::UpstreamPort)
}

fn of_root_port(port: &Function) -> Attachment {
    if port.port_type() != Reading::Known(PortType::RootPort) {
        return Attachment::Unknown;
    }
    let id = port.id.device.0;
    let Address { bus, device, .. } = port.address;
    match port.id.vendor.0 {
        AMD if is_in(AMD_SOUTHBRIDGE_PORTS, id) => Attachment::Chipset,
        AMD if is_in(AMD_PROCESSOR_PORTS, id) => Attachment::Processor,
        INTEL if is_in(INTEL_NORTHBRIDGE_PORTS, id) => Attachment::Unknown,
        INTEL if bus == 0 && INTEL_CHIPSET_DEVICES.contains(&device) => Attachment::Chipset,
        INTEL if INTEL_PROCESSOR_DEVICES.contains(&device) => Attachment::Processor,
        _ => Attachment::Unknown,
    }
}

fn is_in(ids: &[(u16, u16)], id: u16) -> bool {
    ids.iter()
        .any(|(first, last)| (*first..=*last).contains(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, downstream, machine, root_port, upstream};

    fn root(place: &str, vendor: u16, device: u16) -> Attachment {
        let machine = machine([root_port(place, 0xc1).id(vendor, device)]);
        attachment(&Topology::of(&machine), address(place))
    }

    #[test]
    fn a_root_port_is_told_by_its_id_and_place() {
        use Attachment::*;
        let cases = [
            ("00:01.0", 0x8086, 0x1901, Processor),
            ("00:08.0", 0x8086, 0x1901, Processor),
            ("00:09.0", 0x8086, 0x1901, Unknown),
            ("00:00.0", 0x8086, 0x1901, Unknown),
            ("00:1a.0", 0x8086, 0x7ac8, Chipset),
            ("00:1d.7", 0x8086, 0xa118, Chipset),
            ("00:1e.0", 0x8086, 0xa118, Unknown),
            ("80:1c.0", 0x8086, 0x2030, Unknown),
            ("80:02.0", 0x8086, 0x2f04, Processor),
            ("00:01.0", 0x8086, 0x29c1, Unknown),
            ("00:01.0", 0x8086, 0x2580, Unknown),
            ("00:03.0", 0x8086, 0x3408, Unknown),
            ("00:03.0", 0x8086, 0x360a, Unknown),
            ("00:01.1", 0x1022, 0x1483, Processor),
            ("00:01.1", 0x1022, 0x1800, Unknown),
            ("00:15.0", 0x1022, 0x43a0, Chipset),
            ("00:15.3", 0x1022, 0x43a3, Chipset),
            ("00:15.3", 0x1022, 0x43a4, Unknown),
            ("00:01.0", 0x1b36, 0x000c, Unknown),
        ];
        for (place, vendor, device, expected) in cases {
            assert_eq!(
                root(place, vendor, device),
                expected,
                "{place} {device:04x}"
            );
        }
    }

    #[test]
    fn what_is_behind_a_chipsets_switch_is_the_chipsets() {
        let of = |switch: u16| {
            let machine = machine([
                root_port("00:01.2", 1).buses(1, 4).id(0x1022, 0x1483),
                upstream("01:00.2", 2).buses(2, 4).id(0x1022, switch),
                downstream("02:00.0", 3).id(0x1022, 0x43c7),
            ]);
            let topology = Topology::of(&machine);
            ["00:01.2", "02:00.0"].map(|port| attachment(&topology, address(port)))
        };
        use Attachment::*;
        assert_eq!(of(0x43c6), [Processor, Chipset]);
        assert_eq!(of(0x57ad), [Processor, Chipset]);
        assert_eq!(of(0x1478), [Processor, Processor]);
    }

    #[test]
    fn a_port_below_an_unseen_bridge_cannot_be_told() {
        let machine = machine([downstream("02:00.0", 3).id(0x1022, 0x43c7)]);
        let topology = Topology::of(&machine);
        assert_eq!(
            attachment(&topology, address("02:00.0")),
            Attachment::Unknown
        );
        assert_eq!(
            attachment(&topology, address("03:00.0")),
            Attachment::Unknown
        );
    }
}
