use serde::{Deserialize, Serialize};

use crate::register::Registers;
use crate::{ConfigSpace, extended};

/// Resizable BAR, or VF Resizable BAR (7.8.6 and 7.8.7 of revision 6.0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizableBars {
    /// One entry for each BAR that can be resized, six at most.
    pub bars: Vec<ResizableBar>,
}

/// One BAR that can be resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizableBar {
    /// Number of the BAR, 0 to 5; 6 and 7 are reserved.
    pub index: u8,
    /// Sizes that it can have.
    pub supported: BarSizes,
    /// Its size now: 1 MiB shifted left by this.
    pub current: u8,
}

impl ResizableBar {
    /// Its size now, in bytes; `None` for a size that no address space has.
    pub fn current_bytes(self) -> Option<u64> {
        bytes(self.current)
    }
}

/// A set of BAR sizes: bit n is 1 MiB shifted left by n, to bit 43.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarSizes(pub u64);

impl BarSizes {
    /// The sizes, ascending: 1 MiB shifted left by each.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..44).filter(move |shift| (self.0 >> shift) & 1 != 0)
    }

    /// The largest size in bytes.
    pub fn largest_bytes(self) -> Option<u64> {
        self.iter().last().and_then(bytes)
    }
}

fn bytes(shift: u8) -> Option<u64> {
    (shift < 44).then(|| 1_u64 << (20 + shift))
}

impl ResizableBars {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let count = (registers.u32(8)? >> 5) & 7;
        let bars = (0..count.clamp(1, 6) as usize)
            .map(|entry| ResizableBar::read(registers, 4 + 8 * entry))
            .collect::<Option<_>>()?;
        Some(Self { bars })
    }
}

impl ResizableBar {
    fn read(registers: Registers<'_>, offset: usize) -> Option<Self> {
        let capability = u64::from(registers.u32(offset)?);
        let control = registers.u32(offset + 4)?;
        let [low, size, ..] = control.to_le_bytes();
        Some(Self {
            index: low & 7,
            supported: BarSizes(capability >> 4 | u64::from(control >> 16) << 28),
            current: size & 0x3f,
        })
    }
}

impl ConfigSpace {
    /// Resizable BAR. Outer `None`: unknown. Inner `None`: there is none.
    pub fn resizable_bars(&self) -> Option<Option<ResizableBars>> {
        self.extended(extended::RESIZABLE_BAR, ResizableBars::read)
    }

    /// Resizable BAR of the virtual functions. Outer `None`: unknown. Inner `None`: there is none.
    pub fn vf_resizable_bars(&self) -> Option<Option<ResizableBars>> {
        self.extended(extended::VF_RESIZABLE_BAR, ResizableBars::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn a_graphics_card_says_which_sizes_its_memory_can_have() {
        let config = extended(
            0x15,
            &[
                0x10, 0, 0, 0, 0x40, 0x00, 0, 0, 0x00, 0xf0, 0x03, 0, 0x01, 0x08, 0x01, 0,
            ],
        );
        let bars = config.resizable_bars().unwrap().unwrap().bars;
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[0].supported.iter().collect::<Vec<_>>(), [0]);
        assert_eq!(
            (bars[1].index, bars[1].current_bytes()),
            (1, Some(256 << 20))
        );
        assert_eq!(
            bars[1].supported.iter().collect::<Vec<_>>(),
            [8, 9, 10, 11, 12, 13, 28]
        );
        assert_eq!(bars[1].supported.largest_bytes(), Some(1 << 48));
    }

    #[test]
    fn a_list_of_sizes_that_is_cut_off_is_unknown() {
        let mut bytes = extended(0x15, &[0; 12]).bytes()[..0x10c].to_vec();
        assert_eq!(
            crate::ConfigSpace::new(bytes.clone())
                .resizable_bars()
                .unwrap()
                .unwrap()
                .bars
                .len(),
            1
        );
        bytes.truncate(0x10a);
        assert_eq!(crate::ConfigSpace::new(bytes).resizable_bars(), None);
    }
}
