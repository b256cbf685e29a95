use pci::PortType;

use crate::Register;

/// A capability of the conventional list, in the first 256 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Power management (id 01) with D0 and D3hot; a return to D0 resets nothing.
    PowerManagement,
    /// Message signalled interrupts (05), 64-bit addresses, so many vectors as a power of two.
    Msi {
        /// Base-2 logarithm of the number of vectors, 0 to 5.
        vectors_log2: u8,
    },
    /// MSI-X (11).
    MsiX {
        /// Number of vectors, 1 to 2048.
        vectors: u16,
        /// BAR that holds table and pending bits.
        bar: u8,
        /// Offset of the table in it, in bytes; a multiple of 8.
        table: u32,
        /// Offset of the pending bits, in bytes; a multiple of 8.
        pending: u32,
    },
    /// PCI Express (10).
    Express(Express),
    /// Vendor-specific (09), with these bytes behind its length.
    Vendor(Vec<u8>),
}

/// The PCI Express capability, version 2 (PCI Express Base specification, 7.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Express {
    port_type: PortType,
    function_level_reset: bool,
    maximum: Link,
    current: Link,
}

/// A link's speed and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// 1: 2.5 GT/s, 2: 5, 3: 8, 4: 16, 5: 32.
    pub speed: u8,
    /// Lanes.
    pub width: u8,
}

impl Express {
    /// Of this type, without function-level reset, with a link of 8 GT/s x16 in full use. QEMU takes
    /// endpoints of all three kinds and refuses everything else.
    pub const fn new(port_type: PortType) -> Self {
        let link = Link {
            speed: 3,
            width: 16,
        };
        Self {
            port_type,
            function_level_reset: false,
            maximum: link,
            current: link,
        }
    }

    /// With function-level reset (device capabilities, bit 28).
    #[must_use]
    pub const fn function_level_reset(mut self) -> Self {
        self.function_level_reset = true;
        self
    }

    /// With this link at its best and now.
    #[must_use]
    pub const fn link(mut self, maximum: Link, current: Link) -> Self {
        self.maximum = maximum;
        self.current = current;
        self
    }

    /// Its type.
    pub const fn port_type(&self) -> PortType {
        self.port_type
    }

    /// The link at its best, and now.
    pub const fn links(&self) -> (Link, Link) {
        (self.maximum, self.current)
    }

    /// Whether a write to device control can reset the function.
    pub const fn resets(&self) -> bool {
        self.function_level_reset
    }

    fn registers(self) -> Vec<Register> {
        let fixed = Register::fixed;
        let reset = u32::from(self.function_level_reset) << 28;
        let speeds = (1_u32 << self.maximum.speed) - 1;
        vec![
            fixed((2 | type_number(self.port_type) << 4) << 16),
            // Device: 256-byte payloads, role-based error reporting.
            fixed(0x0000_8001 | reset),
            Register::writable(0x0000_2810, 0x0000_7fff).clears(0x000f_0000),
            // Link: ASPM L0s and L1, clock power management.
            fixed(0x0045_0c00 | self.maximum.field()),
            Register::writable(0x1000_0000 | self.current.field() << 16, 0x0000_0fff),
            // Slot and root: not there.
            fixed(0),
            fixed(0),
            fixed(0),
            fixed(0),
            // Device 2: completion timeout, LTR.
            fixed(0x0000_0810),
            Register::writable(0, 0x0000_07ff),
            // Link 2: every speed up to the highest.
            fixed(speeds << 1),
            Register::writable(self.maximum.speed.into(), 0x0000_ffff),
            fixed(0),
            fixed(0),
        ]
    }
}

impl Link {
    /// As the link capabilities and link status registers have it.
    const fn field(self) -> u32 {
        self.speed as u32 | (self.width as u32) << 4
    }
}

/// Device/port type field (7.5.3.2).
const fn type_number(port_type: PortType) -> u32 {
    match port_type {
        PortType::Endpoint => 0,
        PortType::LegacyEndpoint => 1,
        PortType::RootPort => 4,
        PortType::UpstreamPort => 5,
        PortType::DownstreamPort => 6,
        PortType::PcieToPciBridge => 7,
        PortType::PciToPcieBridge => 8,
        PortType::RootComplexEndpoint => 9,
        PortType::EventCollector => 10,
        PortType::Other(number) => (number & 0x0f) as u32,
    }
}

impl Capability {
    /// Capability id.
    pub const fn id(&self) -> u8 {
        match self {
            Self::PowerManagement => 0x01,
            Self::Msi { .. } => 0x05,
            Self::Vendor(_) => 0x09,
            Self::Express(_) => 0x10,
            Self::MsiX { .. } => 0x11,
        }
    }

    /// The registers; id and next pointer, the lower half of the first, are left to the layout.
    pub(crate) fn registers(&self) -> Vec<Register> {
        match self {
            Self::PowerManagement => vec![
                Register::fixed(0x0003_0000),
                Register::writable(0x0000_0008, 0x0000_0103).clears(0x0000_8000),
            ],
            Self::Msi { vectors_log2 } => vec![
                Register::writable((0x80 | u32::from(*vectors_log2) << 1) << 16, 0x0071_0000),
                Register::writable(0, 0xffff_fffc),
                Register::writable(0, 0xffff_ffff),
                Register::writable(0, 0x0000_ffff),
            ],
            Self::MsiX {
                vectors,
                bar,
                table,
                pending,
            } => vec![
                Register::writable(u32::from(vectors.saturating_sub(1)) << 16, 0xc000_0000),
                Register::fixed(table | u32::from(*bar)),
                Register::fixed(pending | u32::from(*bar)),
            ],
            Self::Express(express) => express.registers(),
            Self::Vendor(bytes) => {
                let length = u8::try_from(bytes.len() + 3).unwrap_or(u8::MAX);
                let all: Vec<u8> = [0, 0, length].iter().chain(bytes).copied().collect();
                fixed_registers(&all)
            }
        }
    }
}

/// Bytes as read-only registers, zeros behind the last.
pub(crate) fn fixed_registers(bytes: &[u8]) -> Vec<Register> {
    let chunks = bytes.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        Register::fixed(u32::from_le_bytes(word))
    });
    chunks.collect()
}
