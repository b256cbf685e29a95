use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, conventional};

/// Message Signaled Interrupts (7.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Msi {
    /// Message control.
    pub control: MsiControl,
    /// Where the message is written.
    pub address: u64,
    /// What is written.
    pub data: u16,
    /// Vectors that are masked; only with masking per vector.
    pub mask: Option<u32>,
    /// Vectors that are pending; only with masking per vector.
    pub pending: Option<u32>,
}

register! {
    /// MSI message control (7.7.1.2).
    MsiControl: u16;
    flags {
        /// Interrupts are messages.
        enabled = 0;
        /// The address has 64 bits.
        address_64_bit = 7;
        /// Vectors can be masked.
        per_vector_masking = 8;
    }
    fields {
        /// Vectors asked for, as a power of two.
        capable_log2 = 1, 3;
        /// Vectors granted, as a power of two.
        enabled_log2 = 4, 3;
    }
}

impl MsiControl {
    /// Vectors asked for.
    pub const fn vectors(self) -> u16 {
        1 << self.capable_log2()
    }

    /// Vectors granted.
    pub const fn vectors_enabled(self) -> u16 {
        1 << self.enabled_log2()
    }
}

impl Msi {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let control = MsiControl(registers.u16(2)?);
        let (address, data) = if control.address_64_bit() {
            (registers.u64(4)?, 0x0c)
        } else {
            (u64::from(registers.u32(4)?), 0x08)
        };
        let masking = |offset| {
            control
                .per_vector_masking()
                .then(|| registers.u32(data + offset))
        };
        let (mask, pending) = match (masking(4), masking(8)) {
            (Some(mask), Some(pending)) => (Some(mask?), Some(pending?)),
            _ => (None, None),
        };
        Some(Self {
            control,
            address,
            data: registers.u16(data)?,
            mask,
            pending,
        })
    }
}

impl ConfigSpace {
    /// Message Signaled Interrupts. Outer `None`: unknown. Inner `None`: there are none.
    pub fn msi(&self) -> Option<Option<Msi>> {
        self.conventional(conventional::MSI, Msi::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::conventional;

    #[test]
    fn registers_move_with_the_width_of_the_address() {
        let wide = conventional(
            0x05,
            &[
                0x87, 0x01, 0xd8, 0x04, 0xe0, 0xfe, 1, 0, 0, 0, 0x62, 0x41, 0, 0, 0xfe, 0, 0, 0, 2,
            ],
        );
        let msi = wide.msi().unwrap().unwrap();
        assert_eq!(
            (msi.control.vectors(), msi.control.vectors_enabled()),
            (8, 1)
        );
        assert_eq!((msi.address, msi.data), (0x1_fee0_04d8, 0x4162));
        assert_eq!((msi.mask, msi.pending), (Some(0xfe), Some(2)));
        let narrow = conventional(0x05, &[0x01, 0x00, 0xd8, 0x04, 0xe0, 0xfe, 0x62, 0x41]);
        let msi = narrow.msi().unwrap().unwrap();
        assert_eq!((msi.address, msi.data), (0xfee0_04d8, 0x4162));
        assert_eq!((msi.mask, msi.pending), (None, None));
    }
}
