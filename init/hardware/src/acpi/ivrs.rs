use super::cursor::{Cursor, Trace};
use super::header::Header;
use super::problem::{TableError, TableProblem};
use super::structures::{self, UnknownStructure, walk};

mod entry;
mod memory;
#[cfg(test)]
mod tests;
mod unit;

pub use entry::{AcpiUid, DeviceEntry, SpecialDevice};
pub use memory::{MemoryDefinition, MemoryFlags, Requesters};
pub use unit::{AmdIommu, BlockKind, RequesterRange, UnitBlock};

/// Bytes before the first block (AMD IOMMU specification 3.10, 5.2.1).
const FIXED: usize = 48;

/// AMD's I/O virtualization reporting structure (AMD IOMMU specification 3.10, 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ivrs {
    /// The table's header; revisions 1 and 2 exist.
    pub header: Header,
    /// What all units have in common.
    pub iv_info: IvInfo,
    /// The IOMMUs, each once however many blocks describe it, in the table's order.
    pub units: Vec<AmdIommu>,
    /// Memory that is mapped in its own way for some functions (IVMD), in the table's order.
    pub memory: Vec<MemoryDefinition>,
    /// Blocks of types that this version does not know.
    pub unknown: Vec<UnknownStructure>,
    /// What is wrong with the table. What stands before it was read.
    pub problems: Vec<TableProblem>,
}

/// `IVinfo` (5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IvInfo(pub u32);

impl IvInfo {
    /// Bit 0: the extended feature register is in the table.
    pub fn has_extended_features(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bit 1: firmware asks the kernel to keep DMA remapping on.
    pub fn dma_remapping_opt_in(self) -> bool {
        self.0 & 1 << 1 != 0
    }

    /// Bits 14:8: bits of a physical address.
    pub fn physical_address_width(self) -> u8 {
        self.field(8)
    }

    /// Bits 21:15: bits of a virtual address.
    pub fn virtual_address_width(self) -> u8 {
        self.field(15)
    }

    fn field(self, shift: u32) -> u8 {
        u8::try_from(self.0 >> shift & 0x7f).unwrap_or(0)
    }
}

impl Ivrs {
    /// Reads a table.
    ///
    /// # Errors
    /// Only when it is no IVRS table; damage further in is in [`Ivrs::problems`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        Self::read(bytes, None)
    }

    /// Reads a table like [`Ivrs::parse`] does, and says where each field stood.
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
        let (header, mut cursor) = Header::parse(bytes, "IVRS", FIXED, trace, &mut problems)?;
        let short = TableError::Short {
            signature: "IVRS",
            length: bytes.len(),
        };
        let iv_info = fixed(&mut cursor).ok_or(short)?;
        let mut ivrs = Self {
            header,
            iv_info,
            units: Vec::new(),
            memory: Vec::new(),
            unknown: Vec::new(),
            problems: Vec::new(),
        };
        walk(
            &mut cursor,
            &structures::IVRS,
            "IVRS block",
            &mut problems,
            |kind, cursor, problems| ivrs.block(kind, cursor, problems),
        );
        ivrs.problems = problems;
        Ok(ivrs)
    }

    /// One block (5.2.2).
    fn block(
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
        cursor.u8("Type")?;
        let flags = cursor.u8("Flags")?;
        cursor.u16("Length")?;
        let device_id = cursor.u16("DeviceID")?;
        if let Some(kind) = BlockKind::of(kind) {
            let (place, block) = UnitBlock::read(kind, flags, cursor, problems)?;
            AmdIommu::merge(&mut self.units, device_id, place, block);
        } else if matches!(kind, 0x20..=0x22) {
            self.memory
                .push(MemoryDefinition::read(kind, flags, device_id, cursor)?);
        } else {
            cursor.bytes("Block of unknown type", cursor.left())?;
            self.unknown.push(unknown);
        }
        Some(())
    }
}

fn fixed(cursor: &mut Cursor) -> Option<IvInfo> {
    let iv_info = IvInfo(cursor.u32("IVinfo")?);
    cursor.u64("Reserved")?;
    Some(iv_info)
}
