use serde::{Deserialize, Serialize};

use crate::{ConfigSpace, HeaderType};

/// A base address register as it stands (7.5.1.2.1). Its size is not in configuration space: only writing
/// to it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// Number of the register, 0 to 5; the lower half's for one of 64 bits.
    pub index: u8,
    /// What it decodes, and where.
    #[serde(flatten)]
    pub kind: BarKind,
}

/// What a base address register decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BarKind {
    /// I/O ports.
    Io {
        /// First port.
        address: u32,
    },
    /// Memory.
    Memory {
        /// First address; 0 is unassigned.
        address: u64,
        /// Where it can be placed.
        width: MemoryWidth,
        /// Reads have no side effects.
        prefetchable: bool,
    },
    /// A type that no specification assigns, or the lower half of 64 bits without an upper half.
    Reserved {
        /// The register.
        raw: u32,
    },
}

/// Where a memory BAR can be placed (bits 2:1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryWidth {
    /// Anywhere in 32 bits.
    Bits32,
    /// Below 1 MiB, as conventional PCI once had it.
    Below1M,
    /// Anywhere in 64 bits.
    Bits64,
}

impl ConfigSpace {
    /// The base address registers that hold anything. A register of zero is not listed: it is not
    /// implemented, or it is one for 32-bit memory that nobody assigned, and configuration space does not
    /// tell which. One of all ones is not listed either: the function did not answer, or is being sized.
    pub fn bars(&self) -> Vec<Bar> {
        let count = match self.header_type() {
            Some(HeaderType::Endpoint) => 6,
            Some(HeaderType::Bridge) => 2,
            Some(HeaderType::CardBus) => 1,
            Some(HeaderType::Other(_)) | None => 0,
        };
        bars(count, |offset| self.u32(0x10 + offset))
    }
}

/// Reads `count` registers, which `register` gives by their offset from the first.
pub(crate) fn bars(count: u8, register: impl Fn(usize) -> Option<u32>) -> Vec<Bar> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < count {
        let Some(raw) = register(usize::from(index) * 4) else {
            break;
        };
        let upper = || {
            (index + 1 < count)
                .then(|| register(usize::from(index + 1) * 4))
                .flatten()
        };
        let (kind, taken) = decode(raw, upper);
        if raw != 0 && raw != u32::MAX {
            found.push(Bar { index, kind });
        }
        index += taken;
    }
    found
}

/// What the register says, and how many registers it takes.
fn decode(raw: u32, upper: impl Fn() -> Option<u32>) -> (BarKind, u8) {
    if raw & 1 != 0 {
        let address = raw & !3;
        return (BarKind::Io { address }, 1);
    }
    let memory = |address, width| BarKind::Memory {
        address,
        width,
        prefetchable: raw & 8 != 0,
    };
    let low = u64::from(raw & !0xf);
    match ((raw >> 1) & 3, upper()) {
        (0, _) => (memory(low, MemoryWidth::Bits32), 1),
        (1, _) => (memory(low, MemoryWidth::Below1M), 1),
        (2, Some(high)) => (memory(low | u64::from(high) << 32, MemoryWidth::Bits64), 2),
        _ => (BarKind::Reserved { raw }, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::space;

    fn words(header: u8, registers: &[u32]) -> Vec<Bar> {
        let bytes: Vec<u8> = registers
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        space(64, &[(0x0e, &[header]), (0x10, &bytes)]).bars()
    }

    #[test]
    fn a_graphics_card_has_64_bit_memory_32_bit_memory_and_ports() {
        let bars = words(0, &[0xf600_0000, 0xe000_000c, 0x0000_0060, 0, 0, 0xe001]);
        assert_eq!(
            bars,
            [
                Bar {
                    index: 0,
                    kind: BarKind::Memory {
                        address: 0xf600_0000,
                        width: MemoryWidth::Bits32,
                        prefetchable: false
                    }
                },
                Bar {
                    index: 1,
                    kind: BarKind::Memory {
                        address: 0x60_e000_0000,
                        width: MemoryWidth::Bits64,
                        prefetchable: true
                    }
                },
                Bar {
                    index: 5,
                    kind: BarKind::Io { address: 0xe000 }
                },
            ]
        );
    }

    #[test]
    fn a_64_bit_register_without_an_upper_half_is_reserved() {
        assert_eq!(
            words(1, &[0, 0x0000_000c, 0x1234]),
            [Bar {
                index: 1,
                kind: BarKind::Reserved { raw: 0xc }
            }]
        );
    }
}
