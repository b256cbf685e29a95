use pci::{AcsBits, PortType};

use super::Kind;

/// Bus numbers of a bridge: its own, the one directly behind it, and the highest behind it.
pub type Buses = (u8, u8, u8);

/// A configuration space of 4096 bytes in which capabilities are put one behind the other.
struct Space {
    bytes: Vec<u8>,
    /// Where the last entry of either list has its pointer to the next, and the first free byte.
    last: usize,
    free: usize,
    last_extended: Option<usize>,
    free_extended: usize,
}

impl Space {
    fn new() -> Self {
        Self {
            bytes: vec![0; 4096],
            last: 0x34,
            free: 0x40,
            last_extended: None,
            free_extended: 0x100,
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A capability: `body` is what stands behind id and pointer.
    fn capability(&mut self, id: u8, body: &[u8]) {
        let at = self.free;
        self.put(self.last, &[u8::try_from(at).unwrap_or(0)]);
        self.put(at, &[id, 0]);
        self.put(at + 2, body);
        self.last = at + 1;
        self.free = (at + 2 + body.len()).next_multiple_of(4);
    }

    /// An extended capability: `body` is what stands behind the header.
    fn extended(&mut self, id: u16, version: u16, body: &[u8]) {
        let at = self.free_extended;
        if let Some(last) = self.last_extended {
            let next = u16::try_from(at).unwrap_or(0) << 4 | u16::from(self.bytes[last] & 0x0f);
            self.put(last, &next.to_le_bytes());
        }
        self.put(at, &id.to_le_bytes());
        self.put(at + 2, &version.to_le_bytes());
        self.put(at + 4, body);
        self.last_extended = Some(at + 2);
        self.free_extended = (at + 4 + body.len()).next_multiple_of(4);
    }
}

/// The configuration space of a function of this kind. `number` tells one port's slot from another's.
pub fn config(kind: &Kind, multifunction: bool, buses: Option<Buses>, number: u16) -> Vec<u8> {
    let mut space = Space::new();
    header(&mut space, kind, multifunction, buses);
    // Version 3 with PME from D0 and D3hot; D0, no soft reset.
    space.capability(0x01, &[0x03, 0x48, 0x08, 0, 0, 0]);
    if let Some(port) = kind.express {
        let message = [&[0x80, 0][..], &[0; 10]].concat();
        space.capability(0x05, &message);
        space.capability(0x10, &express(port, number));
        extended(&mut space, kind);
    }
    if buses.is_none() {
        // Nine vectors in BAR 0.
        space.capability(0x11, &[8, 0, 0, 0x20, 0, 0, 0, 0x30, 0, 0]);
    }
    space.bytes
}

fn header(space: &mut Space, kind: &Kind, multifunction: bool, buses: Option<Buses>) {
    space.put(0x00, &kind.id.vendor.0.to_le_bytes());
    space.put(0x02, &kind.id.device.0.to_le_bytes());
    // Memory, bus master, SERR; a capability list.
    space.put(0x04, &[0x06, 0x01, 0x10, 0]);
    space.put(0x08, &[kind.revision]);
    space.put(0x09, &kind.class.to_le_bytes()[..3]);
    space.put(0x0c, &[0x10]);
    let multifunction = u8::from(multifunction) << 7;
    if let Some((primary, secondary, subordinate)) = buses {
        space.put(0x0e, &[multifunction | 1]);
        space.put(0x18, &[primary, secondary, subordinate]);
        // Windows: I/O, memory, prefetchable memory of 64 bits.
        space.put(0x1c, &[0xe0, 0xe0]);
        space.put(0x20, &[0x00, 0xf6, 0x00, 0xf7, 0x01, 0xe0, 0xf1, 0xf1]);
    } else {
        space.put(0x0e, &[multifunction]);
        // 32-bit memory, then a 64-bit prefetchable pair, then I/O; an expansion ROM.
        space.put(0x10, &0xf600_0000_u32.to_le_bytes());
        space.put(0x14, &0xe000_000c_u32.to_le_bytes());
        space.put(0x1c, &0x0000_e001_u32.to_le_bytes());
        space.put(0x2c, &[0x62, 0x14, 0x60, 0x31]);
        space.put(0x30, &0xf700_0000_u32.to_le_bytes());
    }
    space.put(0x3c, &[0x0b, 0x01]);
}

/// What stands behind id and pointer of a PCI Express capability of version 2 (7.5.3).
fn express(port: PortType, number: u16) -> Vec<u8> {
    let code: u16 = match port {
        PortType::Endpoint => 0,
        PortType::LegacyEndpoint => 1,
        PortType::RootPort => 4,
        PortType::UpstreamPort => 5,
        PortType::DownstreamPort => 6,
        PortType::PcieToPciBridge => 7,
        PortType::PciToPcieBridge => 8,
        PortType::RootComplexEndpoint => 9,
        PortType::EventCollector => 10,
        PortType::Other(code) => code.into(),
    };
    let has_slot = matches!(port, PortType::RootPort | PortType::DownstreamPort);
    let mut body = Vec::new();
    body.extend((2 | code << 4 | u16::from(has_slot) << 8).to_le_bytes());
    // Device: 256 bytes of payload, extended tags, function-level reset.
    body.extend(0x1000_8021_u32.to_le_bytes());
    body.extend(0x0010_2930_u32.to_le_bytes());
    // Link: 8 GT/s by 16 lanes, and it is.
    body.extend(0x0046_1d03_u32.to_le_bytes());
    body.extend(0x1103_0040_u32.to_le_bytes());
    // Slot.
    let slot = u32::from(number) << 19 | 0x60;
    body.extend(if has_slot { slot } else { 0 }.to_le_bytes());
    body.extend(0x0040_0000_u32.to_le_bytes());
    // Root.
    body.extend([0; 8]);
    // The second device, link and slot.
    body.extend(0x0017_0813_u32.to_le_bytes());
    body.extend(0x0000_0400_u32.to_le_bytes());
    body.extend(0x0000_000e_u32.to_le_bytes());
    body.extend(0x001e_0003_u32.to_le_bytes());
    body.extend([0; 8]);
    body
}

fn extended(space: &mut Space, kind: &Kind) {
    // Advanced error reporting.
    space.extended(0x01, 2, &[0; 0x44]);
    space.extended(0x03, 1, &[1, 2, 3, 0xff, 0xff, 4, 5, 6]);
    if kind.isolates {
        let [low, high] = AcsBits::ISOLATING.to_le_bytes();
        space.extended(0x0d, 1, &[low, high, low, high]);
    }
    if kind.virtual_functions > 0 {
        space.extended(0x0e, 1, &[0; 4]);
        space.extended(0x10, 1, &single_root(kind));
    }
    // Latency tolerance, and L1 substates.
    space.extended(0x18, 1, &[0; 4]);
    space.extended(0x1e, 1, &[0x1f, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// What stands behind the header of an SR-IOV capability (9.3.3).
fn single_root(kind: &Kind) -> Vec<u8> {
    let mut body = vec![0; 8];
    for number in [kind.virtual_functions, kind.virtual_functions, 0, 0] {
        body.extend(number.to_le_bytes());
    }
    // First offset, stride, device id.
    for number in [0x180_u16, 4, 0, 0x1520] {
        body.extend(number.to_le_bytes());
    }
    // Page sizes, BARs, migration state.
    body.extend(0x553_u32.to_le_bytes());
    body.extend(1_u32.to_le_bytes());
    body.resize(0x3c, 0);
    body
}
