use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, conventional};

/// MSI-X (7.7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MsiX {
    /// Message control.
    pub control: MsiXControl,
    /// Where the table of messages is.
    pub table: TableLocation,
    /// Where the pending bits are.
    pub pending: TableLocation,
}

register! {
    /// MSI-X message control (7.7.2.2).
    MsiXControl: u16;
    flags {
        /// All vectors are masked.
        masked = 14;
        /// Interrupts are messages.
        enabled = 15;
    }
    fields {
        /// Entries of the table, less one.
        last_entry = 0, 11;
    }
}

impl MsiXControl {
    /// Entries of the table, 1 to 2048.
    pub const fn vectors(self) -> u16 {
        self.last_entry() + 1
    }
}

register! {
    /// A place in memory behind a BAR (7.7.2.3 and 7.7.2.4).
    TableLocation: u32;
    flags {}
    fields {
        /// The base address register, 0 to 5; 6 and 7 are reserved.
        bar = 0, 3;
    }
}

impl TableLocation {
    /// Offset in bytes from the BAR's address.
    pub const fn offset(self) -> u32 {
        self.0 & !7
    }
}

impl MsiX {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            control: MsiXControl(registers.u16(2)?),
            table: TableLocation(registers.u32(4)?),
            pending: TableLocation(registers.u32(8)?),
        })
    }
}

impl ConfigSpace {
    /// MSI-X. Outer `None`: unknown. Inner `None`: there is none.
    pub fn msix(&self) -> Option<Option<MsiX>> {
        self.conventional(conventional::MSI_X, MsiX::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::conventional;

    #[test]
    fn the_table_is_at_an_offset_in_a_bar() {
        let config = conventional(0x11, &[0x7f, 0x80, 0x02, 0, 0x0f, 0, 0x02, 0x90, 0x0f, 0]);
        let msix = config.msix().unwrap().unwrap();
        assert!(msix.control.enabled() && !msix.control.masked());
        assert_eq!(msix.control.vectors(), 128);
        assert_eq!((msix.table.bar(), msix.table.offset()), (2, 0x000f_0000));
        assert_eq!(msix.pending.offset(), 0x000f_9000);
    }
}
