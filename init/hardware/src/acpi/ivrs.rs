use super::header::{Block, Header, TableError, blocks, u16_at, u32_at, u64_at};

/// Bytes before the first block (AMD IOMMU specification 3.10, 5.1).
const FIXED: usize = 48;
/// Blocks that describe an IOMMU; the same one can have a block of each type.
const IVHD: [u16; 3] = [0x10, 0x11, 0x40];

/// AMD's I/O virtualization reporting structure (AMD IOMMU specification 3.10, chapter 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ivrs {
    /// The table's header; revisions 1 and 2 exist.
    pub header: Header,
    /// `IVinfo`: bits 14:8 physical, 21:15 virtual address size, bit 1 DMA remapping opt-in.
    pub iv_info: u32,
    /// The IOMMUs, each once however many blocks describe it, in the table's order.
    pub units: Vec<AmdIommu>,
    /// What is wrong with the table. What stands before it was read.
    pub problems: Vec<String>,
}

/// One IOMMU (5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmdIommu {
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// Bus in the upper byte, device and function in the lower.
    pub device_id: u16,
    /// Address of its registers.
    pub register_base: u64,
    /// Types of the blocks that describe it, one bit each: 0x10, 0x11, 0x40 as bits 0 to 2.
    pub block_types: u8,
}

impl Ivrs {
    /// Reads a table.
    ///
    /// # Errors
    /// Only when it is no IVRS table; damage further in is in [`Ivrs::problems`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let (header, table) = Header::parse(bytes, "IVRS", FIXED)?;
        let mut problems = header.problems(bytes.len());
        let (found, damage) = blocks(table, FIXED, |rest| {
            Some((u16::from(*rest.first()?), u16_at(rest, 2)?))
        });
        let mut units: Vec<AmdIommu> = Vec::new();
        for block in &found {
            let Some(position) = IVHD.iter().position(|kind| *kind == block.kind) else {
                continue;
            };
            let Some(unit) = unit(block, 1 << position) else {
                problems.push(format!("the IOMMU at offset {} is cut short", block.offset));
                continue;
            };
            let place = |unit: &AmdIommu| (unit.segment, unit.device_id);
            match units.iter_mut().find(|known| place(known) == place(&unit)) {
                Some(known) => known.block_types |= unit.block_types,
                None => units.push(unit),
            }
        }
        problems.extend(damage);
        Ok(Self {
            header,
            iv_info: u32_at(table, 36).unwrap_or(0),
            units,
            problems,
        })
    }
}

fn unit(block: &Block<'_>, block_types: u8) -> Option<AmdIommu> {
    Some(AmdIommu {
        device_id: u16_at(block.bytes, 4)?,
        register_base: u64_at(block.bytes, 8)?,
        segment: u16_at(block.bytes, 16)?,
        block_types,
    })
}

#[cfg(test)]
mod tests {
    use super::super::header::table;
    use super::*;

    fn ivhd(kind: u8, device_id: u8) -> Vec<u8> {
        let mut block = vec![kind, 0, 24, 0, device_id, 0, 0x40, 0, 0, 0, 0xd8, 0xfe];
        block.resize(24, 0);
        block
    }

    fn ivrs(blocks: &[Vec<u8>]) -> Vec<u8> {
        let mut body = 0x0020_3041_u32.to_le_bytes().to_vec();
        body.resize(FIXED - 36, 0);
        body.extend(blocks.concat());
        table("IVRS", 2, &body)
    }

    #[test]
    fn an_iommu_that_three_blocks_describe_is_one() {
        let unknown = vec![0x51, 0, 8, 0, 1, 2, 3, 4];
        let bytes = ivrs(&[
            ivhd(0x10, 2),
            unknown,
            ivhd(0x11, 2),
            ivhd(0x40, 2),
            ivhd(0x10, 3),
        ]);
        let ivrs = Ivrs::parse(&bytes).unwrap();
        assert_eq!((ivrs.header.revision, ivrs.iv_info), (2, 0x0020_3041));
        let ids: Vec<_> = ivrs
            .units
            .iter()
            .map(|unit| (unit.device_id, unit.block_types))
            .collect();
        assert_eq!(ids, [(2, 0b111), (3, 0b001)]);
        assert_eq!(ivrs.units[0].register_base, 0xfed8_0000);
        assert_eq!(ivrs.problems, [""; 0]);
    }

    #[test]
    fn a_block_that_runs_past_the_end_is_named() {
        let mut block = ivhd(0x10, 2);
        block[2] = 200;
        let ivrs = Ivrs::parse(&ivrs(&[block])).unwrap();
        assert_eq!(
            ivrs.problems,
            ["the structure of type 0x10 at offset 48 has length 200"]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(body: Vec<u8>, cut: usize) {
            let bytes = table("IVRS", 2, &body);
            let _ = Ivrs::parse(&body);
            let _ = Ivrs::parse(bytes.get(..cut % (bytes.len() + 1)).unwrap());
        }
    }
}
