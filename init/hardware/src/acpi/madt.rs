use super::header::Header;
use super::problem::{TableError, TableProblem};
use super::structures::{MADT, walk};

/// Bytes before the first structure (ACPI 6.5, 5.2.12).
const FIXED: usize = 44;
const IO_APIC: u16 = 1;

/// The IOAPICs of the multiple APIC description table, signature `APIC` (ACPI 6.5, 5.2.12). The rest of that
/// table says nothing about IOMMUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Madt {
    /// The table's header.
    pub header: Header,
    /// The IOAPICs, in the table's order.
    pub io_apics: Vec<IoApic>,
    /// What is wrong with the table. What stands before it was read.
    pub problems: Vec<TableProblem>,
}

/// One IOAPIC (5.2.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Its id, by which DMAR and IVRS name it.
    pub id: u8,
    /// Address of its registers.
    pub address: u32,
    /// Number of its first interrupt.
    pub first_interrupt: u32,
}

impl Madt {
    /// Reads a table.
    ///
    /// # Errors
    /// Only when it is no such table; damage further in is in [`Madt::problems`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let mut problems = Vec::new();
        let (header, mut cursor) = Header::parse(bytes, "APIC", FIXED, None, &mut problems)?;
        let short = TableError::Short {
            signature: "APIC",
            length: bytes.len(),
        };
        cursor
            .bytes("Local APIC address and flags", 8)
            .ok_or(short)?;
        let mut io_apics = Vec::new();
        walk(
            &mut cursor,
            &MADT,
            "interrupt controller structure",
            &mut problems,
            |kind, cursor, _| {
                cursor.u8("Type")?;
                cursor.u8("Length")?;
                if kind == IO_APIC {
                    let id = cursor.u8("I/O APIC ID")?;
                    cursor.u8("Reserved")?;
                    io_apics.push(IoApic {
                        id,
                        address: cursor.u32("I/O APIC Address")?,
                        first_interrupt: cursor.u32("Global System Interrupt Base")?,
                    });
                }
                cursor.bytes("Other structure", cursor.left())?;
                Some(())
            },
        );
        Ok(Self {
            header,
            io_apics,
            problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acpi::testing::{table, words};

    #[test]
    fn io_apics_are_found_among_other_controllers() {
        let body = [
            &[0, 0, 0xe0, 0xfe, 1, 0, 0, 0][..],
            &[0, 8, 0, 0, 1, 0, 0, 0],
            &[1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0],
            &[2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
        ]
        .concat();
        let madt = Madt::parse(&table("APIC", 3, &body)).unwrap();
        let io_apic = IoApic {
            id: 2,
            address: 0xfec0_0000,
            first_interrupt: 24,
        };
        assert_eq!((madt.io_apics, madt.problems), (vec![io_apic], vec![]));
    }

    #[test]
    fn a_short_io_apic_is_a_problem() {
        let body = [&[0; 8][..], &[1, 4, 2, 0]].concat();
        let madt = Madt::parse(&table("APIC", 3, &body)).unwrap();
        assert_eq!(
            words(&madt.problems),
            ["the interrupt controller structure at offset 44 is cut short"]
        );
        assert!(Madt::parse(&table("APIC", 3, &[0; 4])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(body: Vec<u8>) {
            let _ = Madt::parse(&table("APIC", 3, &body));
        }
    }
}
