//! A DMAR table of our own in place of QEMU's (VT-d specification 4.1, chapter 8).

use std::io;
use std::ops::RangeInclusive;

use crate::initramfs::{self, Entry};

/// Where QEMU's unit is, and the only I/O APIC of its machines: bus 0xff, device 0.
const UNIT: u64 = 0xfed9_0000;
const IO_APIC: [u8; 8] = [3, 8, 0, 0, 0, 0xff, 0, 0];
const INCLUDE_ALL: u8 = 1;
/// 39 bits, less one.
const ADDRESS_WIDTH: u8 = 38;
const INTERRUPT_REMAPPING: u8 = 1 << 0;
const X2APIC_OPT_OUT: u8 = 1 << 1;
/// Device scope of an endpoint.
const ENDPOINT: u8 = 1;
const RMRR: u16 = 1;

/// A machine's DMAR table: one unit for all devices, with interrupt remapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmar {
    flags: u8,
    reserved: Vec<Vec<u8>>,
}

impl Default for Dmar {
    fn default() -> Self {
        Self {
            flags: INTERRUPT_REMAPPING,
            reserved: Vec::new(),
        }
    }
}

impl Dmar {
    /// With firmware's wish that interrupts stay as they were before x2APIC.
    #[must_use]
    pub fn x2apic_opt_out(mut self) -> Self {
        self.flags |= X2APIC_OPT_OUT;
        self
    }

    /// With memory that firmware keeps for a function (RMRR). `path`: device and function numbers from bus
    /// 0 down to it. The memory is whole pages.
    #[must_use]
    pub fn reserved(mut self, path: &[(u8, u8)], memory: RangeInclusive<u64>) -> Self {
        let mut scope = vec![ENDPOINT, length8(6 + 2 * path.len()), 0, 0, 0, 0];
        scope.extend(
            path.iter()
                .flat_map(|(device, function)| [*device, *function]),
        );
        let mut region = RMRR.to_le_bytes().to_vec();
        region.extend(length16(24 + scope.len()));
        region.extend([0; 4]);
        region.extend(memory.start().to_le_bytes());
        region.extend(memory.end().to_le_bytes());
        region.extend(scope);
        self.reserved.push(region);
        self
    }

    /// The table's bytes, with QEMU's own OEM ids and a higher revision: so a kernel that finds it in its
    /// initrd takes it instead (its Documentation/admin-guide/acpi/initrd_table_override.rst).
    pub fn table(&self) -> Vec<u8> {
        let mut body = vec![ADDRESS_WIDTH, self.flags];
        body.extend([0; 10]);
        body.extend([0, 0]);
        body.extend(length16(16 + IO_APIC.len()));
        body.extend([INCLUDE_ALL, 0, 0, 0]);
        body.extend(UNIT.to_le_bytes());
        body.extend(IO_APIC);
        body.extend(self.reserved.iter().flatten());

        let mut table = b"DMAR".to_vec();
        let length = u32::try_from(36 + body.len()).unwrap_or(u32::MAX);
        table.extend(length.to_le_bytes());
        table.extend([1, 0]);
        table.extend(b"BOCHS BXPC    ");
        table.extend(2_u32.to_le_bytes());
        table.extend(b"LAB ");
        table.extend(1_u32.to_le_bytes());
        table.extend(body);
        let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        table[9] = sum.wrapping_neg();
        table
    }

    /// `initramfs` with the table before it, where the kernel looks for tables.
    pub fn before(&self, initramfs: &[u8]) -> io::Result<Vec<u8>> {
        let table = Entry::program("kernel/firmware/acpi/dmar.aml", self.table());
        let mut image = initramfs::write(&[table])?;
        image.resize(image.len().next_multiple_of(512), 0);
        image.extend(initramfs);
        Ok(image)
    }
}

fn length8(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

fn length16(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_length_and_sums_to_zero() {
        let dmar = Dmar::default().reserved(&[(0x10, 0), (0, 1)], 0xbff0_0000..=0xbfff_ffff);
        let table = dmar.table();
        assert_eq!(table.len(), 36 + 12 + 24 + 34);
        assert_eq!(table[4..8], u32::try_from(table.len()).unwrap().to_le_bytes());
        let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!(sum, 0);
        assert!(table.ends_with(&[1, 10, 0, 0, 0, 0, 0x10, 0, 0, 1]));
    }
}
