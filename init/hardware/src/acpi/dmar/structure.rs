use super::scope::DeviceScope;
use crate::acpi::cursor::Cursor;
use crate::acpi::problem::TableProblem;

/// A DMA remapping hardware unit (DRHD; VT-d specification 4.1, 8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemappingUnit {
    /// Flags: see the constant.
    pub flags: u8,
    /// Bits 3:0: its registers take 4 KiB times two to this power.
    pub size: u8,
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// Address of its registers.
    pub register_base: u64,
    /// What it is for. With [`RemappingUnit::INCLUDE_PCI_ALL`] only IOAPICs, HPETs and ACPI devices need
    /// naming.
    pub scopes: Vec<DeviceScope>,
}

impl RemappingUnit {
    /// Flags: it covers every function of its segment that no other unit names.
    pub const INCLUDE_PCI_ALL: u8 = 1 << 0;

    /// Whether it covers every function of its segment that no other unit names.
    pub fn includes_all(&self) -> bool {
        self.flags & Self::INCLUDE_PCI_ALL != 0
    }

    pub(super) fn read(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Option<Self> {
        Some(Self {
            flags: cursor.u8("Flags")?,
            size: cursor.u8("Size")?,
            segment: cursor.u16("Segment Number")?,
            register_base: cursor.u64("Register Base Address")?,
            scopes: DeviceScope::list(cursor, problems),
        })
    }
}

/// Memory that must stay mapped one to one for some functions (RMRR; 8.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedMemory {
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// First address.
    pub base: u64,
    /// Last address.
    pub limit: u64,
    /// The functions.
    pub scopes: Vec<DeviceScope>,
}

impl ReservedMemory {
    pub(super) fn read(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Option<Self> {
        cursor.u16("Reserved")?;
        Some(Self {
            segment: cursor.u16("Segment Number")?,
            base: cursor.u64("Reserved Memory Region Base Address")?,
            limit: cursor.u64("Reserved Memory Region Limit Address")?,
            scopes: DeviceScope::list(cursor, problems),
        })
    }
}

/// Root ports below which address translation services work (ATSR; 8.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPortAts {
    /// Flags: see the constant.
    pub flags: u8,
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// The root ports.
    pub scopes: Vec<DeviceScope>,
}

impl RootPortAts {
    /// Flags: all root ports of the segment.
    pub const ALL_PORTS: u8 = 1 << 0;

    pub(super) fn read(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Option<Self> {
        let flags = cursor.u8("Flags")?;
        cursor.u8("Reserved")?;
        Some(Self {
            flags,
            segment: cursor.u16("Segment Number")?,
            scopes: DeviceScope::list(cursor, problems),
        })
    }
}

/// The NUMA node that a unit belongs to (RHSA; 8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProximityDomain {
    /// Address of the unit's registers.
    pub register_base: u64,
    /// Proximity domain as in the SRAT.
    pub domain: u32,
}

impl ProximityDomain {
    pub(super) fn read(cursor: &mut Cursor) -> Option<Self> {
        cursor.u32("Reserved")?;
        Some(Self {
            register_base: cursor.u64("Register Base Address")?,
            domain: cursor.u32("Proximity Domain")?,
        })
    }
}

/// A device of the ACPI namespace that scopes name by its number (ANDD; 8.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceDevice {
    /// The number, as the enumeration id of a scope.
    pub number: u8,
    /// Full path of its object.
    pub name: String,
}

impl NamespaceDevice {
    pub(super) fn read(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Option<Self> {
        cursor.bytes("Reserved", 3)?;
        let number = cursor.u8("ACPI Device Number")?;
        let offset = cursor.offset();
        let Some(name) = cursor.terminated_text("ACPI Object Name") else {
            let what = "ACPI object name";
            problems.push(TableProblem::Unterminated { what, offset });
            let name = cursor.text("ACPI Object Name", cursor.left())?;
            return Some(Self { number, name });
        };
        cursor.bytes("Padding", cursor.left())?;
        Some(Self { number, name })
    }
}

/// Functions on the processor's die that have an address translation cache (SATC; 8.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocCache {
    /// Bit 0: the functions work only with address translation services on.
    pub flags: u8,
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// The functions.
    pub scopes: Vec<DeviceScope>,
}

impl SocCache {
    pub(super) fn read(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Option<Self> {
        let flags = cursor.u8("Flags")?;
        cursor.u8("Reserved")?;
        Some(Self {
            flags,
            segment: cursor.u16("Segment Number")?,
            scopes: DeviceScope::list(cursor, problems),
        })
    }
}

/// Functions on the processor's die whose scopes carry flags of their own (SIDP; 8.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocProperties {
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// The functions, each with its flags.
    pub scopes: Vec<DeviceScope>,
}

impl SocProperties {
    pub(super) fn read(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Option<Self> {
        cursor.u16("Reserved")?;
        Some(Self {
            segment: cursor.u16("Segment Number")?,
            scopes: DeviceScope::list(cursor, problems),
        })
    }
}
