use pci::{AcsBits, DeviceId};

use crate::Register;
use crate::capability::fixed_registers;

/// A capability of the extended list, from offset 0x100 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendedCapability {
    /// Advanced Error Reporting (id 0001).
    AdvancedErrors,
    /// Device Serial Number (0003).
    SerialNumber(u64),
    /// Vendor-specific (000b), with these bytes behind its own header.
    Vendor {
        /// VSEC id.
        id: u16,
        /// VSEC revision, 4 bits.
        revision: u8,
        /// Bytes behind the header.
        bytes: Vec<u8>,
    },
    /// Access Control Services (000d).
    AccessControl {
        /// What the function can do; only these bits of control can be written.
        capability: AcsBits,
        /// What is on after power-on.
        control: AcsBits,
    },
    /// Alternative Routing-ID Interpretation (000e). QEMU hides it from the guest.
    AlternativeRouting {
        /// Next function of the device; 0 ends the list.
        next_function: u8,
    },
    /// Address Translation Services (000f).
    AddressTranslation {
        /// Invalidate queue depth, 0 (meaning 32) to 31.
        queue_depth: u8,
    },
    /// Single Root I/O Virtualization (0010). Registers only: no virtual function appears, and QEMU
    /// hides it from the guest.
    SingleRootIov {
        /// Virtual functions at most.
        total: u16,
        /// Device id of a virtual function.
        device: DeviceId,
        /// Size of each virtual function's BAR 0 (64 bits, prefetchable), a power of two in bytes.
        bar_size: u32,
    },
    /// Resizable BAR (0015), for one BAR. QEMU shows its guest the current size alone.
    ResizableBar {
        /// Which BAR.
        bar: u8,
        /// Supported sizes: bit 0 is 1 MiB, bit 1 is 2 MiB, and so on.
        sizes: u32,
        /// Size now: 0 is 1 MiB, 1 is 2 MiB, and so on.
        current: u8,
    },
    /// Latency Tolerance Reporting (0018).
    LatencyTolerance,
    /// Process Address Space ID (001b).
    ProcessAddressSpace {
        /// Width of an id in bits, 0 to 20.
        width: u8,
    },
    /// Anything else.
    Other {
        /// Capability id.
        id: u16,
        /// Version, 4 bits.
        version: u8,
        /// Registers behind the header.
        registers: Vec<Register>,
    },
}

/// AER: the uncorrectable errors that a device reports.
const UNCORRECTABLE: u32 = 0x01ff_f030;
/// AER: the correctable ones.
const CORRECTABLE: u32 = 0x0000_f1c1;
/// SR-IOV: page sizes of 4 KiB to 4 MiB.
const PAGE_SIZES: u32 = 0x0000_0553;

impl ExtendedCapability {
    /// Capability id and version.
    pub const fn id(&self) -> (u16, u8) {
        match self {
            Self::AdvancedErrors => (0x01, 2),
            Self::SerialNumber(_) => (0x03, 1),
            Self::Vendor { .. } => (0x0b, 1),
            Self::AccessControl { .. } => (0x0d, 1),
            Self::AlternativeRouting { .. } => (0x0e, 1),
            Self::AddressTranslation { .. } => (0x0f, 1),
            Self::SingleRootIov { .. } => (0x10, 1),
            Self::ResizableBar { .. } => (0x15, 1),
            Self::LatencyTolerance => (0x18, 1),
            Self::ProcessAddressSpace { .. } => (0x1b, 1),
            Self::Other { id, version, .. } => (*id, *version),
        }
    }

    /// The registers behind the header (PCI Express Base specification, 7.7 to 7.9 and 9.3.3).
    pub(crate) fn registers(&self) -> Vec<Register> {
        let (fixed, writable) = (Register::fixed, Register::writable);
        match self {
            Self::AdvancedErrors => vec![
                fixed(0).clears(UNCORRECTABLE),
                writable(0, UNCORRECTABLE),
                writable(0x0006_2030, UNCORRECTABLE),
                fixed(0).clears(CORRECTABLE),
                writable(0x0000_2000, CORRECTABLE),
                fixed(0),
                fixed(0),
                fixed(0),
                fixed(0),
                fixed(0),
            ],
            Self::SerialNumber(number) => fixed_registers(&number.to_le_bytes()),
            Self::Vendor {
                id,
                revision,
                bytes,
            } => {
                let length = u16::try_from(bytes.len() + 8).unwrap_or(u16::MAX);
                let header =
                    u32::from(*id) | u32::from(revision & 0x0f) << 16 | u32::from(length) << 20;
                let mut registers = vec![fixed(header)];
                registers.extend(fixed_registers(bytes));
                registers
            }
            Self::AccessControl {
                capability,
                control,
            } => vec![writable(
                u32::from(capability.0) | u32::from(control.0) << 16,
                u32::from(capability.0 & 0x007f) << 16,
            )],
            Self::AlternativeRouting { next_function } => {
                vec![fixed(u32::from(*next_function) << 8)]
            }
            Self::AddressTranslation { queue_depth } => {
                vec![writable(u32::from(queue_depth & 0x1f), 0x801f_0000)]
            }
            Self::SingleRootIov {
                total,
                device,
                bar_size,
            } => vec![
                fixed(0),
                writable(0, 0x0000_001f),
                fixed(u32::from(*total) << 16 | u32::from(*total)),
                writable(0, 0x0000_ffff),
                // The first virtual function is 16 behind; each is next to the one before.
                fixed(0x0001_0010),
                fixed(u32::from(device.0) << 16),
                fixed(PAGE_SIZES),
                writable(1, PAGE_SIZES),
                writable(0x0c, bar_size.wrapping_neg() & !0x0f),
                writable(0, u32::MAX),
                fixed(0),
                fixed(0),
                fixed(0),
                fixed(0),
                fixed(0),
            ],
            Self::ResizableBar {
                bar,
                sizes,
                current,
            } => vec![
                fixed(sizes << 4),
                writable(
                    u32::from(bar & 7) | 1 << 5 | u32::from(current & 0x3f) << 8,
                    0x0000_3f00,
                ),
            ],
            Self::LatencyTolerance => vec![writable(0, 0x1fff_1fff)],
            Self::ProcessAddressSpace { width } => {
                vec![writable(0x6 | u32::from(width & 0x1f) << 8, 0x0007_0000)]
            }
            Self::Other { registers, .. } => registers.clone(),
        }
    }
}
