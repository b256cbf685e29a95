use serde::{Deserialize, Serialize};

use crate::config::bars;
use crate::register::{Registers, register};
use crate::{Bar, ConfigSpace, DeviceId, extended};

/// Single Root I/O Virtualization of a physical function (9.3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrIov {
    /// What the function can do.
    pub capabilities: SrIovCapabilities,
    /// What is switched on.
    pub control: SrIovControl,
    /// Status register; bit 0 is a migration in progress.
    pub status: u16,
    /// Virtual functions at first.
    pub initial_vfs: u16,
    /// Virtual functions at most.
    pub total_vfs: u16,
    /// Virtual functions that are asked for now.
    pub num_vfs: u16,
    /// Number of a function that this one depends on; its own number when on none.
    pub dependency_link: u8,
    /// Routing id of the first virtual function, less that of this function.
    pub first_vf_offset: u16,
    /// Distance between the routing ids of two virtual functions.
    pub vf_stride: u16,
    /// Device id of the virtual functions.
    pub vf_device: DeviceId,
    /// Page sizes that the function can use: bit n is 4096 bytes shifted left by n.
    pub supported_page_sizes: u32,
    /// Page size in use, in the same way.
    pub system_page_size: u32,
    /// Base address registers of the virtual functions.
    pub vf_bars: Vec<Bar>,
    /// Where the migration state array is: BAR in bits 2:0, offset above.
    pub migration_state: u32,
}

register! {
    /// SR-IOV capabilities (9.3.3.2).
    SrIovCapabilities: u32;
    flags {
        /// Virtual functions can migrate.
        migration = 0;
        /// The ARI Capable Hierarchy bit survives a change of power state.
        ari_hierarchy_preserved = 1;
        /// Virtual functions can send 10-bit tags.
        tag_10_bit_requester = 2;
    }
    fields {
        /// Interrupt message number of a migration.
        interrupt_message = 21, 11;
    }
}

register! {
    /// SR-IOV control (9.3.3.3).
    SrIovControl: u16;
    flags {
        /// The virtual functions are there.
        enabled = 0;
        /// They may migrate.
        migration = 1;
        /// A migration interrupts.
        migration_interrupt = 2;
        /// The virtual functions decode memory.
        memory_space = 3;
        /// They may have more function numbers than eight.
        ari_hierarchy = 4;
        /// They send 10-bit tags.
        tag_10_bit_requester = 5;
    }
    fields {}
}

impl SrIov {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let migration_state = registers.u32(0x3c)?;
        Some(Self {
            capabilities: SrIovCapabilities(registers.u32(0x04)?),
            control: SrIovControl(registers.u16(0x08)?),
            status: registers.u16(0x0a)?,
            initial_vfs: registers.u16(0x0c)?,
            total_vfs: registers.u16(0x0e)?,
            num_vfs: registers.u16(0x10)?,
            dependency_link: registers.u8(0x12)?,
            first_vf_offset: registers.u16(0x14)?,
            vf_stride: registers.u16(0x16)?,
            vf_device: DeviceId(registers.u16(0x1a)?),
            supported_page_sizes: registers.u32(0x1c)?,
            system_page_size: registers.u32(0x20)?,
            vf_bars: bars(6, |offset| registers.u32(0x24 + offset)),
            migration_state,
        })
    }
}

impl ConfigSpace {
    /// Single Root I/O Virtualization. Outer `None`: unknown. Inner `None`: there is none.
    pub fn sriov(&self) -> Option<Option<SrIov>> {
        self.extended(extended::SINGLE_ROOT_IOV, SrIov::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::extended;
    use crate::{BarKind, MemoryWidth};

    #[test]
    fn a_physical_function_says_how_many_virtual_ones_it_has() {
        let mut registers = [0; 0x3c];
        registers[0x04] = 0x19;
        registers[0x08..0x0e].copy_from_slice(&[8, 0, 8, 0, 2, 0]);
        registers[0x10..0x18].copy_from_slice(&[0x80, 0x01, 0x02, 0x00, 0, 0, 0xca, 0x10]);
        registers[0x20..0x28].copy_from_slice(&[0x04, 0, 0, 0xe0, 0x01, 0, 0, 0]);
        let sriov = extended(0x10, &registers).sriov().unwrap().unwrap();
        assert!(sriov.control.enabled() && sriov.control.ari_hierarchy());
        assert_eq!(
            (sriov.initial_vfs, sriov.total_vfs, sriov.num_vfs),
            (8, 8, 2)
        );
        assert_eq!((sriov.first_vf_offset, sriov.vf_stride), (0x180, 2));
        assert_eq!(sriov.vf_device, DeviceId(0x10ca));
        assert_eq!(
            sriov.vf_bars,
            [Bar {
                index: 0,
                kind: BarKind::Memory {
                    address: 0x1_e000_0000,
                    width: MemoryWidth::Bits64,
                    prefetchable: false
                }
            }]
        );
    }
}
