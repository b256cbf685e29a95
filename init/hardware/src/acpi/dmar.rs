use super::cursor::{Cursor, Trace};
use super::header::Header;
use super::problem::{TableError, TableProblem};
use super::structures::{self, UnknownStructure, walk};

mod scope;
mod structure;
#[cfg(test)]
mod tests;

pub use scope::{DeviceScope, PathHop, ScopeKind};
pub use structure::{
    NamespaceDevice, ProximityDomain, RemappingUnit, ReservedMemory, RootPortAts, SocCache,
    SocProperties,
};

/// Bytes before the first remapping structure (VT-d specification 4.1, 8.1).
const FIXED: usize = 48;

/// Intel's DMA remapping table (VT-d specification 4.1, chapter 8). Each list is in the table's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmar {
    /// The table's header.
    pub header: Header,
    /// Bits of a DMA address: the field's value and one.
    pub host_address_width: u16,
    /// Flags: see the constants.
    pub flags: u8,
    /// The remapping hardware units (DRHD).
    pub units: Vec<RemappingUnit>,
    /// Memory that must stay mapped one to one for some functions (RMRR).
    pub reserved_memory: Vec<ReservedMemory>,
    /// Root ports below which address translation services work (ATSR).
    pub root_port_ats: Vec<RootPortAts>,
    /// NUMA nodes of units (RHSA).
    pub proximity: Vec<ProximityDomain>,
    /// ACPI devices that scopes name by number (ANDD).
    pub namespace_devices: Vec<NamespaceDevice>,
    /// Integrated functions with an address translation cache (SATC).
    pub soc_caches: Vec<SocCache>,
    /// Integrated functions with properties of their own (SIDP).
    pub soc_properties: Vec<SocProperties>,
    /// Structures of types that this version does not know.
    pub unknown: Vec<UnknownStructure>,
    /// What is wrong with the table. What stands before it was read.
    pub problems: Vec<TableProblem>,
}

impl Dmar {
    /// Flags: the platform supports interrupt remapping.
    pub const INTR_REMAP: u8 = 1 << 0;
    /// Flags: firmware asks the kernel not to use x2APIC.
    pub const X2APIC_OPT_OUT: u8 = 1 << 1;
    /// Flags: firmware asks the kernel to keep DMA shut until its drivers run.
    pub const DMA_CTRL_PLATFORM_OPT_IN: u8 = 1 << 2;

    /// Reads a table.
    ///
    /// # Errors
    /// Only when it is no DMAR table; damage further in is in [`Dmar::problems`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        Self::read(bytes, None)
    }

    /// Reads a table like [`Dmar::parse`] does, and says where each field stood.
    ///
    /// # Errors
    /// The same.
    pub fn trace(bytes: &[u8]) -> Result<(Self, Trace), TableError> {
        let mut trace = Trace::new();
        let table = Self::read(bytes, Some(&mut trace))?;
        Ok((table, trace))
    }

    fn read(bytes: &[u8], trace: Option<&mut Trace>) -> Result<Self, TableError> {
        let mut problems = Vec::new();
        let (header, mut cursor) = Header::parse(bytes, "DMAR", FIXED, trace, &mut problems)?;
        let short = TableError::Short {
            signature: "DMAR",
            length: bytes.len(),
        };
        let (width, flags) = fixed(&mut cursor).ok_or(short)?;
        let mut dmar = Self {
            header,
            host_address_width: u16::from(width) + 1,
            flags,
            units: Vec::new(),
            reserved_memory: Vec::new(),
            root_port_ats: Vec::new(),
            proximity: Vec::new(),
            namespace_devices: Vec::new(),
            soc_caches: Vec::new(),
            soc_properties: Vec::new(),
            unknown: Vec::new(),
            problems: Vec::new(),
        };
        walk(
            &mut cursor,
            &structures::DMAR,
            "remapping structure",
            &mut problems,
            |kind, cursor, problems| dmar.structure(kind, cursor, problems),
        );
        dmar.problems = problems;
        Ok(dmar)
    }

    /// One remapping structure (8.2).
    fn structure(
        &mut self,
        kind: u16,
        cursor: &mut Cursor,
        problems: &mut Vec<TableProblem>,
    ) -> Option<()> {
        let unknown = UnknownStructure {
            kind,
            offset: cursor.offset(),
            length: cursor.left(),
        };
        cursor.u16("Type")?;
        cursor.u16("Length")?;
        match kind {
            0 => self.units.push(RemappingUnit::read(cursor, problems)?),
            1 => self
                .reserved_memory
                .push(ReservedMemory::read(cursor, problems)?),
            2 => self
                .root_port_ats
                .push(RootPortAts::read(cursor, problems)?),
            3 => self.proximity.push(ProximityDomain::read(cursor)?),
            4 => self
                .namespace_devices
                .push(NamespaceDevice::read(cursor, problems)?),
            5 => self.soc_caches.push(SocCache::read(cursor, problems)?),
            6 => self
                .soc_properties
                .push(SocProperties::read(cursor, problems)?),
            _ => {
                cursor.bytes("Structure of unknown type", cursor.left())?;
                self.unknown.push(unknown);
            }
        }
        Some(())
    }
}

/// Host address width and flags.
fn fixed(cursor: &mut Cursor) -> Option<(u8, u8)> {
    let width = cursor.u8("Host Address Width")?;
    let flags = cursor.u8("Flags")?;
    cursor.bytes("Reserved", 10)?;
    Some((width, flags))
}
