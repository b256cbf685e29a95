use super::{Table, length16};

/// Where QEMU's only AMD-Vi unit has its registers.
const QEMU_UNIT: u64 = 0xfed8_0000;

/// Requester id of that unit, 00:01.0, and where its capability is in configuration space.
const QEMU_DEVICE: u16 = 0x0008;
const QEMU_CAPABILITY: u16 = 0x0040;

/// I/O virtualization reporting (AMD IOMMU specification 3.10, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ivrs {
    /// Revision of the table: 1, or 2 where types 0x11 and 0x40 are used.
    pub revision: u8,
    /// IVinfo.
    pub info: u32,
    /// Units, each as often as there are types that describe it.
    pub units: Vec<Unit>,
    /// Memory that must be mapped, or must not be translated.
    pub memory: Vec<Memory>,
}

/// Type of a unit's block (IVHD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// 24 bytes of header.
    Legacy = 0x10,
    /// With the extended feature register.
    Extended = 0x11,
    /// The same, and may name devices by ACPI ids.
    Mixed = 0x40,
}

/// One block that describes a unit (IVHD).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its type.
    pub kind: UnitKind,
    /// Its flags.
    pub flags: u8,
    /// Requester id of the unit.
    pub device: u16,
    /// Offset of its capability.
    pub capability: u16,
    /// Physical address of its registers.
    pub registers: u64,
    /// Feature information; in the longer types its attributes.
    pub features: u32,
    /// The extended feature register; not in [`UnitKind::Legacy`].
    pub extended_features: u64,
    /// What it is for.
    pub entries: Vec<Entry>,
}

/// One device entry of a unit. Requester ids are bus, device and function in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Four bytes of padding.
    Padding,
    /// All requesters.
    All,
    /// One requester.
    Select(u16),
    /// From the first to the last of these.
    Range(u16, u16),
    /// Requests of the first come with the id of the second.
    Alias(u16, u16),
    /// An interrupt controller: its APIC id, and the id that its requests come with.
    IoApic(u8, u16),
    /// A timer: its number, and the id that its requests come with.
    Hpet(u8, u16),
}

/// One range of memory (IVMD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// For the requesters from the first to the last; none for all of them.
    pub requesters: Option<(u16, u16)>,
    /// First byte.
    pub base: u64,
    /// Bytes.
    pub length: u64,
    /// Not to be translated, in place of mapped one to one.
    pub exclusion: bool,
}

impl Entry {
    fn bytes(self) -> Vec<u8> {
        let select = |kind: u8, id: u16| {
            let [low, high] = id.to_le_bytes();
            vec![kind, low, high, 0]
        };
        let special = |handle: u8, id: u16, variety: u8| {
            let [low, high] = id.to_le_bytes();
            vec![0x48, 0, 0, 0, handle, low, high, variety]
        };
        match self {
            Self::Padding => vec![0; 4],
            Self::All => select(1, 0),
            Self::Select(id) => select(2, id),
            Self::Range(first, last) => [select(3, first), select(4, last)].concat(),
            Self::Alias(id, source) => {
                let [low, high] = source.to_le_bytes();
                [select(0x42, id), vec![0, low, high, 0]].concat()
            }
            Self::IoApic(handle, id) => special(handle, id, 1),
            Self::Hpet(handle, id) => special(handle, id, 2),
        }
    }
}

impl Unit {
    /// QEMU's unit, for everything; QEMU's IOAPIC sends its requests as 00:14.0.
    pub fn qemu(kind: UnitKind) -> Self {
        Self {
            kind,
            flags: 0xd1,
            device: QEMU_DEVICE,
            capability: QEMU_CAPABILITY,
            registers: QEMU_UNIT,
            features: if kind == UnitKind::Legacy { 0x0044 } else { 0 },
            extended_features: 0x29d3,
            entries: vec![Entry::All, Entry::IoApic(0, 0x00a0)],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = self.device.to_le_bytes().to_vec();
        body.extend(self.capability.to_le_bytes());
        body.extend(self.registers.to_le_bytes());
        // Segment 0, and the unit's information: message number and id.
        body.extend([0; 4]);
        body.extend(self.features.to_le_bytes());
        if self.kind != UnitKind::Legacy {
            body.extend(self.extended_features.to_le_bytes());
            body.extend([0; 8]);
        }
        body.extend(self.entries.iter().flat_map(|entry| entry.bytes()));
        block(self.kind as u8, self.flags, &body)
    }
}

impl Memory {
    fn bytes(self) -> Vec<u8> {
        let (kind, first, last) = match self.requesters {
            None => (0x20, 0, 0),
            Some((first, last)) if first == last => (0x21, first, 0),
            Some((first, last)) => (0x22, first, last),
        };
        // Unity mapping with read and write; or exclusion.
        let flags = if self.exclusion { 0x08 } else { 0x07 };
        let mut body = Vec::new();
        body.extend(u16::to_le_bytes(first));
        body.extend(u16::to_le_bytes(last));
        body.extend([0; 8]);
        body.extend(self.base.to_le_bytes());
        body.extend(self.length.to_le_bytes());
        block(kind, flags, &body)
    }
}

impl Ivrs {
    /// What QEMU itself describes, its one unit in each of these types.
    pub fn qemu(kinds: &[UnitKind]) -> Self {
        let legacy = kinds.iter().all(|kind| *kind == UnitKind::Legacy);
        Self {
            revision: if legacy { 1 } else { 2 },
            // 40 bits of physical address; bit 0: the longer types have the extended features.
            info: 0x2800 | u32::from(!legacy),
            units: kinds.iter().map(|kind| Unit::qemu(*kind)).collect(),
            memory: Vec::new(),
        }
    }

    /// The table.
    pub fn table(&self) -> Table {
        let mut body = self.info.to_le_bytes().to_vec();
        body.extend([0; 8]);
        body.extend(self.units.iter().flat_map(Unit::bytes));
        body.extend(self.memory.iter().flat_map(|memory| memory.bytes()));
        Table::new(*b"IVRS", self.revision, &body)
    }
}

/// A block: type, flags, length, `body`.
fn block(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, flags];
    bytes.extend(length16(4 + body.len()));
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_in_two_types_is_two_blocks_of_their_own_lengths() {
        let ivrs = Ivrs::qemu(&[UnitKind::Legacy, UnitKind::Extended]);
        let table = ivrs.table();
        let bytes = table.bytes();
        // 24 and 40 bytes of header, 12 bytes of entries each.
        assert_eq!(bytes[48..52], [0x10, 0xd1, 36, 0]);
        assert_eq!(bytes[84..88], [0x11, 0xd1, 52, 0]);
        assert_eq!(bytes.len(), 36 + 12 + 36 + 52);
    }

    #[test]
    fn an_exclusion_range_for_one_function_is_32_bytes_with_its_id() {
        let memory = Memory {
            requesters: Some((0x100, 0x100)),
            base: 0x1000,
            length: 0x1000,
            exclusion: true,
        };
        let bytes = memory.bytes();
        assert_eq!(bytes.len(), 32);
        assert_eq!(bytes[..8], [0x21, 8, 32, 0, 0, 1, 0, 0]);
    }
}
