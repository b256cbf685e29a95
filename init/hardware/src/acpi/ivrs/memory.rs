use crate::acpi::cursor::Cursor;

/// Memory that is mapped in its own way for some functions (IVMD; AMD IOMMU specification 3.10, 5.2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryDefinition {
    /// For whom.
    pub requesters: Requesters,
    /// How it is mapped.
    pub flags: MemoryFlags,
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// First address.
    pub base: u64,
    /// Bytes.
    pub length: u64,
}

/// Requester ids: bus in the upper byte, device and function in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requesters {
    /// Block type 0x20: every one of the segment.
    All,
    /// Block type 0x21: this one.
    One(u16),
    /// Block type 0x22: from the first to the last.
    Range(u16, u16),
}

/// Flags of a memory definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryFlags(pub u8);

impl Requesters {
    /// Whether this requester id is among them.
    pub fn has(self, id: u16) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == id,
            Self::Range(first, last) => (first..=last).contains(&id),
        }
    }
}

impl MemoryFlags {
    /// The range must be mapped one to one.
    pub const UNITY: u8 = 1 << 0;
    /// Reads pass.
    pub const READ: u8 = 1 << 1;
    /// Writes pass.
    pub const WRITE: u8 = 1 << 2;
    /// The range is not translated at all. The kernel makes it a one-to-one mapping (since 5.5).
    pub const EXCLUSION: u8 = 1 << 3;

    /// Whether the kernel maps the range one to one (drivers/iommu/amd/init.c,
    /// `init_memory_definitions`). With neither flag it passes the definition over.
    pub fn is_mapped(self) -> bool {
        self.0 & (Self::UNITY | Self::EXCLUSION) != 0
    }
}

impl MemoryDefinition {
    pub(super) fn read(kind: u16, flags: u8, device_id: u16, cursor: &mut Cursor) -> Option<Self> {
        let last = cursor.u16("Auxiliary Data")?;
        let segment = cursor.u16("PCI Segment Group")?;
        cursor.bytes("Reserved", 6)?;
        Some(Self {
            requesters: match kind {
                0x21 => Requesters::One(device_id),
                0x22 => Requesters::Range(device_id, last),
                _ => Requesters::All,
            },
            flags: MemoryFlags(flags),
            segment,
            base: cursor.u64("Physical Start Address")?,
            length: cursor.u64("Physical Memory Length")?,
        })
    }
}
