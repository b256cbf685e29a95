use serde::{Deserialize, Serialize};

use crate::register::register;
use crate::{ConfigSpace, HeaderType};

/// Bus numbers of a type 1 header (offsets 0x18 to 0x1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeBuses {
    /// Bus the bridge itself is on.
    pub primary: u8,
    /// Bus directly behind it.
    pub secondary: u8,
    /// Highest bus number behind it.
    pub subordinate: u8,
}

/// Addresses that a bridge passes on. Closed when `base` is above `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First address.
    pub base: u64,
    /// Last address.
    pub limit: u64,
    /// Bits that the registers implement: 16, 32 or 64.
    pub bits: u8,
}

impl Window {
    /// Whether any address passes.
    pub const fn is_open(self) -> bool {
        self.base <= self.limit
    }
}

/// Windows of a type 1 header (7.5.1.3.6 to 7.5.1.3.9). A bridge without I/O or prefetchable memory has
/// zeros there, which reads as an open window at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeWindows {
    /// I/O ports.
    pub io: Window,
    /// Memory.
    pub memory: Window,
    /// Prefetchable memory.
    pub prefetchable: Window,
}

register! {
    /// Bridge control register (7.5.1.3.10).
    BridgeControl: u16;
    flags {
        /// Parity errors on the secondary side are answered.
        parity_error_response = 0;
        /// SERR# is forwarded.
        serr = 1;
        /// ISA aliases of I/O addresses are not forwarded.
        isa = 2;
        /// The legacy VGA ranges are forwarded: the boot VGA is behind.
        vga = 3;
        /// VGA I/O addresses are decoded in full.
        vga_16_bit = 4;
        /// Master aborts are reported.
        master_abort = 5;
        /// The secondary bus is held in reset.
        secondary_bus_reset = 6;
        /// Fast back-to-back transactions on the secondary side.
        fast_back_to_back = 7;
        /// Short discard timer on the primary side.
        primary_discard_timer = 8;
        /// Short discard timer on the secondary side.
        secondary_discard_timer = 9;
        /// A discard timer ran out.
        discard_timer_status = 10;
        /// A discard timer that runs out raises SERR#.
        discard_timer_serr = 11;
    }
    fields {}
}

register! {
    /// Bridge control register of a CardBus bridge (PC Card Standard, volume 7).
    CardBusControl: u16;
    flags {
        /// Parity errors are answered.
        parity_error_response = 0;
        /// SERR# is forwarded.
        serr = 1;
        /// ISA aliases of I/O addresses are not forwarded.
        isa = 2;
        /// The legacy VGA ranges are forwarded.
        vga = 3;
        /// Master aborts are reported.
        master_abort = 5;
        /// The socket is held in reset.
        card_reset = 6;
        /// 16-bit cards interrupt through ISA lines.
        legacy_interrupts = 7;
        /// Memory window 0 is prefetchable.
        memory_0_prefetchable = 8;
        /// Memory window 1 is prefetchable.
        memory_1_prefetchable = 9;
        /// Writes are posted.
        write_posting = 10;
    }
    fields {}
}

/// Type 2 header, of a CardBus bridge (PC Card Standard, volume 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardBus {
    /// Bus numbers; `secondary` is the CardBus.
    pub buses: BridgeBuses,
    /// Two memory windows.
    pub memory: [Window; 2],
    /// Two windows of I/O ports.
    pub io: [Window; 2],
    /// Bridge control.
    pub control: CardBusControl,
}

impl ConfigSpace {
    /// Bus numbers, for a type 1 header.
    pub fn bridge_buses(&self) -> Option<BridgeBuses> {
        self.is(HeaderType::Bridge)?;
        self.bus_numbers()
    }

    /// Windows, for a type 1 header.
    pub fn bridge_windows(&self) -> Option<BridgeWindows> {
        self.is(HeaderType::Bridge)?;
        let (io_base, io_limit) = (self.u8(0x1c)?, self.u8(0x1d)?);
        let wide_io = io_base & 0x0f == 1;
        let io_half = |low: u8, upper: usize| {
            let high = if wide_io { self.u16(upper)? } else { 0 };
            Some(u64::from(high) << 16 | u64::from(low & 0xf0) << 8)
        };
        let megabytes = |register: u16| u64::from(register & 0xfff0) << 16;
        let (base, limit) = (self.u16(0x24)?, self.u16(0x26)?);
        let wide = base & 0x0f == 1;
        let half = |low: u16, upper: usize| {
            let high = if wide { self.u32(upper)? } else { 0 };
            Some(u64::from(high) << 32 | megabytes(low))
        };
        Some(BridgeWindows {
            io: Window {
                base: io_half(io_base, 0x30)?,
                limit: io_half(io_limit, 0x32)? | 0xfff,
                bits: if wide_io { 32 } else { 16 },
            },
            memory: Window {
                base: megabytes(self.u16(0x20)?),
                limit: megabytes(self.u16(0x22)?) | 0xf_ffff,
                bits: 32,
            },
            prefetchable: Window {
                base: half(base, 0x28)?,
                limit: half(limit, 0x2c)? | 0xf_ffff,
                bits: if wide { 64 } else { 32 },
            },
        })
    }

    /// Bridge control, for a type 1 header.
    pub fn bridge_control(&self) -> Option<BridgeControl> {
        self.is(HeaderType::Bridge)?;
        self.u16(0x3e).map(BridgeControl)
    }

    /// The type 2 header of a CardBus bridge.
    pub fn cardbus(&self) -> Option<CardBus> {
        self.is(HeaderType::CardBus)?;
        let memory = |offset| {
            Some(Window {
                base: u64::from(self.u32(offset)?),
                limit: u64::from(self.u32(offset + 4)?) | 0xfff,
                bits: 32,
            })
        };
        let io = |offset| {
            let base = self.u32(offset)?;
            let wide = base & 3 == 1;
            let mask = if wide { !3 } else { 0xfffc };
            Some(Window {
                base: u64::from(base & mask),
                limit: u64::from(self.u32(offset + 4)? & mask) | 3,
                bits: if wide { 32 } else { 16 },
            })
        };
        Some(CardBus {
            buses: self.bus_numbers()?,
            memory: [memory(0x1c)?, memory(0x24)?],
            io: [io(0x2c)?, io(0x34)?],
            control: CardBusControl(self.u16(0x3e)?),
        })
    }

    fn is(&self, header: HeaderType) -> Option<()> {
        (self.header_type()? == header).then_some(())
    }

    fn bus_numbers(&self) -> Option<BridgeBuses> {
        Some(BridgeBuses {
            primary: self.u8(0x18)?,
            secondary: self.u8(0x19)?,
            subordinate: self.u8(0x1a)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::space;

    #[test]
    fn a_bridge_names_its_buses_and_windows() {
        let config = space(
            64,
            &[
                (0x0e, &[0x01]),
                (0x18, &[0, 1, 3]),
                (0x1c, &[0xe1, 0xe1]),
                (0x20, &[0x00, 0xf6, 0xf0, 0xf6]),
                (0x24, &[0x01, 0xe0, 0xf1, 0xef]),
                (0x28, &[0x60, 0, 0, 0, 0x60, 0, 0, 0]),
                (0x3e, &[0x08]),
            ],
        );
        let buses = config.bridge_buses().unwrap();
        assert_eq!(
            (buses.primary, buses.secondary, buses.subordinate),
            (0, 1, 3)
        );
        let windows = config.bridge_windows().unwrap();
        let window = |base, limit, bits| Window { base, limit, bits };
        assert_eq!(windows.io, window(0xe000, 0xefff, 32));
        assert_eq!(windows.memory, window(0xf600_0000, 0xf6ff_ffff, 32));
        assert_eq!(
            windows.prefetchable,
            window(0x60_e000_0000, 0x60_efff_ffff, 64)
        );
        assert!(config.bridge_control().unwrap().vga());
        assert_eq!(config.cardbus(), None);
    }

    #[test]
    fn a_window_whose_base_is_above_its_limit_is_closed() {
        let config = space(64, &[(0x0e, &[0x01]), (0x20, &[0xf0, 0xff, 0x00, 0x00])]);
        let windows = config.bridge_windows().unwrap();
        assert!(!windows.memory.is_open() && windows.io.is_open());
    }

    #[test]
    fn a_cardbus_bridge_has_a_header_of_its_own() {
        let config = space(
            128,
            &[
                (0x0e, &[0x02]),
                (0x18, &[2, 3, 6]),
                (0x1c, &[0, 0, 0, 0x30, 0, 0xf0, 0xff, 0x33]),
                (0x2c, &[0x01, 0x10, 0, 0, 0xfd, 0x10, 0, 0]),
                (0x3e, &[0x00, 0x01]),
            ],
        );
        let cardbus = config.cardbus().unwrap();
        assert_eq!(cardbus.buses.secondary, 3);
        assert_eq!(cardbus.memory[0].limit, 0x33ff_ffff);
        assert_eq!((cardbus.io[0].base, cardbus.io[0].limit), (0x1000, 0x10ff));
        assert!(cardbus.control.memory_0_prefetchable());
        assert_eq!(config.bridge_buses(), None);
    }
}
