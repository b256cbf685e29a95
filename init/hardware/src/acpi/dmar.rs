use super::header::{Block, Header, TableError, blocks, u16_at, u64_at};

/// Bytes before the first remapping structure (VT-d specification 4.1, 8.1).
const FIXED: usize = 48;
const DRHD: u16 = 0;

/// Intel's DMA remapping table (VT-d specification 4.1, chapter 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmar {
    /// The table's header.
    pub header: Header,
    /// Bits of a DMA address: the field's value and one.
    pub host_address_width: u16,
    /// Flags: see the constants.
    pub flags: u8,
    /// The remapping hardware units (DRHD), in the table's order.
    pub units: Vec<RemappingUnit>,
    /// What is wrong with the table. What stands before it was read.
    pub problems: Vec<String>,
}

/// A DMA remapping hardware unit (8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemappingUnit {
    /// Bit 0: it covers every function of its segment that no other unit names.
    pub flags: u8,
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// Address of its registers.
    pub register_base: u64,
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
        let (header, table) = Header::parse(bytes, "DMAR", FIXED)?;
        let mut problems = header.problems(bytes.len());
        let (structures, damage) = blocks(table, FIXED, |rest| {
            Some((u16_at(rest, 0)?, u16_at(rest, 2)?))
        });
        let mut units = Vec::new();
        for structure in structures.iter().filter(|structure| structure.kind == DRHD) {
            match unit(structure) {
                Some(unit) => units.push(unit),
                None => problems.push(format!(
                    "the unit at offset {} is cut short",
                    structure.offset
                )),
            }
        }
        problems.extend(damage);
        let [width, flags] = [36, 37].map(|offset| table.get(offset).copied().unwrap_or(0));
        Ok(Self {
            header,
            host_address_width: u16::from(width) + 1,
            flags,
            units,
            problems,
        })
    }
}

fn unit(block: &Block<'_>) -> Option<RemappingUnit> {
    Some(RemappingUnit {
        flags: *block.bytes.get(4)?,
        segment: u16_at(block.bytes, 6)?,
        register_base: u64_at(block.bytes, 8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::header::table;
    use super::*;

    const UNIT: [u8; 16] = [0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0];

    fn dmar(flags: u8, structures: &[u8]) -> Vec<u8> {
        let mut body = vec![38, flags];
        body.resize(FIXED - 36, 0);
        body.extend_from_slice(structures);
        table("DMAR", 1, &body)
    }

    #[test]
    fn width_flags_and_units_are_read() {
        let other = [1, 0, 8, 0, 0, 0, 0, 0];
        let dmar = Dmar::parse(&dmar(3, &[&other[..], &UNIT[..]].concat())).unwrap();
        assert_eq!(dmar.host_address_width, 39);
        assert_eq!(dmar.flags, Dmar::INTR_REMAP | Dmar::X2APIC_OPT_OUT);
        let unit = RemappingUnit {
            flags: 1,
            segment: 0,
            register_base: 0xfed9_0000,
        };
        assert_eq!((dmar.units, dmar.problems), (vec![unit], vec![]));
    }

    #[test]
    fn a_structure_of_length_zero_ends_the_walk_and_is_named() {
        let dmar = Dmar::parse(&dmar(1, &[&UNIT[..], &[1, 0, 0, 0]].concat())).unwrap();
        assert_eq!(dmar.units.len(), 1);
        assert_eq!(
            dmar.problems,
            ["the structure of type 0x1 at offset 64 has length 0"]
        );
    }

    #[test]
    fn a_wrong_sum_and_a_cut_table_are_problems_and_not_errors() {
        let mut bytes = dmar(1, &UNIT);
        bytes[37] = 0;
        assert_eq!(
            Dmar::parse(&bytes).unwrap().problems,
            ["the checksum is wrong"]
        );
        bytes.truncate(60);
        let problems = Dmar::parse(&bytes).unwrap().problems;
        assert!(
            problems[0].contains("64 bytes long and only 60 are there"),
            "{problems:?}"
        );
        assert!(Dmar::parse(&bytes[..40]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(body: Vec<u8>, cut: usize) {
            let bytes = table("DMAR", 1, &body);
            let _ = Dmar::parse(&body);
            let _ = Dmar::parse(bytes.get(..cut % (bytes.len() + 1)).unwrap());
        }
    }
}
