//! ACPI tables as values: to add one to a machine, or to replace one of the firmware's.

mod dmar;
mod ivrs;
mod vfct;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use dmar::{Dmar, DmarFlags, RemappingUnit, ReservedMemory, Scope, ScopeKind};
pub use ivrs::{Entry as IvrsEntry, Ivrs, Memory, Unit, UnitKind};
pub use vfct::{Vfct, VfctImage};

use crate::initramfs;

/// Length of the header of every table (ACPI 6.5, table 5.4).
const HEADER: usize = 36;

/// The identity of QEMU's own tables: the kernel replaces a table only by one of the same signature and
/// OEM ids, with a higher OEM revision.
const OEM: &[u8; 6] = b"BOCHS ";
const OEM_TABLE: &[u8; 8] = b"BXPC    ";
const OEM_REVISION: u32 = 2;

/// A whole table: header with the right length and checksum, and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(Vec<u8>);

impl Table {
    fn new(signature: [u8; 4], revision: u8, body: &[u8]) -> Self {
        let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
        let mut bytes = signature.to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend([revision, 0]);
        bytes.extend(OEM);
        bytes.extend(OEM_TABLE);
        bytes.extend(OEM_REVISION.to_le_bytes());
        bytes.extend(b"PFLT");
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(body);
        bytes[9] = sum(&bytes).wrapping_neg();
        Self(bytes)
    }

    /// Header and body.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Writes it into `folder` under its signature, for [`Machine::acpi_table`](crate::Machine::acpi_table).
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(format!("{}.aml", self.name()));
        fs::write(&path, &self.0)?;
        Ok(path)
    }

    /// As the file in front of an initramfs in which the kernel looks for it.
    pub(crate) fn early_file(&self) -> initramfs::Entry {
        let name = format!("kernel/firmware/acpi/{}.aml", self.name());
        initramfs::Entry::file(&name, self.0.clone())
    }

    fn name(&self) -> String {
        String::from_utf8_lossy(&self.0[..4]).to_lowercase()
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// A structure's length as its 16-bit field. Those here are far shorter.
fn length16(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_sums_to_zero_and_knows_its_length() {
        let table = Table::new(*b"TEST", 1, &[1, 2, 3]);
        assert_eq!(sum(table.bytes()), 0);
        assert_eq!(table.bytes()[4..8], 39_u32.to_le_bytes());
        assert_eq!(table.early_file().name, "kernel/firmware/acpi/test.aml");
    }
}
