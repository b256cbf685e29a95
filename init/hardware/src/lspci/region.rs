use crate::Bar;

const IO: u64 = 0x100;
const MEMORY: u64 = 0x200;
const PREFETCH: u64 = 0x2000;
const WIDE: u64 = 0x10_0000;
const UNSET: u64 = 0x2000_0000;
/// `IORESOURCE_ROM_SHADOW`: the kernel shows the legacy copy of a boot display there.
const ROM_SHADOW: u64 = 1 << 1;
const SHADOW: u64 = 0xc_0000;
const ROM_INDEX: u8 = 6;

/// Base address registers as printed. lspci knows a size only from a running kernel.
#[derive(Debug, Default)]
pub(super) struct Regions {
    bars: Vec<Bar>,
    without_size: bool,
    next: u8,
    rom: Option<Option<Bar>>,
}

impl Regions {
    /// `Region 0`, `Memory at f6000000 (32-bit, non-prefetchable) [size=16M]`
    pub fn numbered(&mut self, key: &str, value: &str) {
        let index = key
            .strip_prefix("Region ")
            .and_then(|index| index.trim().parse().ok());
        if let Some(index) = index.filter(|index| *index < ROM_INDEX) {
            self.push(index, value);
        }
    }

    /// The same as `-v` prints it, without its number: a 64-bit region takes two.
    pub fn unnumbered(&mut self, value: &str) {
        if self.next < ROM_INDEX {
            self.push(self.next, value);
        }
    }

    /// `000c0000 [virtual] [disabled] [size=128K]`
    pub fn rom(&mut self, value: &str) {
        let shadow = |start| if start == SHADOW { ROM_SHADOW } else { 0 };
        self.rom = Some(region(ROM_INDEX, value, MEMORY).map(|rom| Bar {
            flags: rom.flags | shadow(rom.start),
            ..rom
        }));
    }

    fn push(&mut self, index: u8, value: &str) {
        let kinds = [("Memory at ", MEMORY), ("I/O ports at ", IO)];
        let place = kinds
            .iter()
            .find_map(|(word, flag)| Some((value.strip_prefix(word)?, *flag)));
        let Some((place, flag)) = place else { return };
        let flags = flag
            | if value.contains("(64-bit") { WIDE } else { 0 }
            | if value.contains(", prefetchable") {
                PREFETCH
            } else {
                0
            };
        self.next = index + if flags & WIDE != 0 { 2 } else { 1 };
        match region(index, place, flags) {
            Some(bar) => {
                self.bars.retain(|known| known.index != index);
                self.bars.push(bar);
            }
            None => self.without_size = true,
        }
    }

    /// The regions; none when the text has no sizes.
    pub fn bars(&self) -> Option<Vec<Bar>> {
        (!self.without_size).then(|| self.bars.clone())
    }

    /// The ROM's region: outer none where no line speaks of one, inner none where it has no size.
    pub fn rom_region(&self) -> Option<Option<Bar>> {
        self.rom
    }
}

/// Address and size. An address that is a word (`<unassigned>`, `<ignored>`) is none.
fn region(index: u8, place: &str, flags: u64) -> Option<Bar> {
    let (_, size) = place.split_once("[size=")?;
    let last = size_of(size.split_once(']')?.0)?.checked_sub(1)?;
    let address = place.split_whitespace().next()?;
    let (start, flags) = match u64::from_str_radix(address, 16) {
        Ok(start) => (start, flags),
        Err(_) => (0, flags | UNSET),
    };
    Some(Bar {
        index,
        start,
        end: start.checked_add(last)?,
        flags,
    })
}

/// `128K`: lspci.c `show_size` shortens by 1024.
fn size_of(text: &str) -> Option<u64> {
    const UNITS: &str = "KMGT";
    let unit = text.chars().last()?;
    let Some(power) = UNITS.find(unit) else {
        return text.parse().ok();
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    number.checked_mul(1024_u64.checked_pow(u32::try_from(power + 1).ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_bounds_and_flags() {
        let mut regions = Regions::default();
        regions.numbered(
            "Region 0",
            "Memory at f6000000 (32-bit, non-prefetchable) [size=16M]",
        );
        regions.numbered(
            "Region 1",
            "Memory at 6000000000 (64-bit, prefetchable) [size=8G]",
        );
        regions.numbered("Region 5", "I/O ports at e000 [disabled] [size=128]");
        let bars = regions.bars().unwrap();
        let seen: Vec<_> = bars
            .iter()
            .map(|bar| (bar.start, bar.end, bar.flags))
            .collect();
        assert_eq!(
            seen,
            [
                (0xf600_0000, 0xf6ff_ffff, 0x200),
                (0x60_0000_0000, 0x61_ffff_ffff, 0x10_2200),
                (0xe000, 0xe07f, 0x100),
            ]
        );
    }

    #[test]
    fn without_numbers_a_wide_region_takes_two() {
        let mut regions = Regions::default();
        regions.unnumbered("Memory at d0000000 (64-bit, prefetchable) [size=256M]");
        regions.unnumbered("I/O ports at e000 [size=128]");
        let indices: Vec<u8> = regions
            .bars()
            .unwrap()
            .iter()
            .map(|bar| bar.index)
            .collect();
        assert_eq!(indices, [0, 2]);
    }

    #[test]
    fn no_size_is_no_region_and_no_address_is_unset() {
        let mut regions = Regions::default();
        regions.numbered(
            "Region 0",
            "Memory at <unassigned> (64-bit, prefetchable) [size=256M]",
        );
        assert_eq!(regions.bars().unwrap()[0].flags & UNSET, UNSET);
        regions.numbered("Region 2", "Memory at f6000000 (32-bit, non-prefetchable)");
        assert_eq!(regions.bars(), None);
        regions.rom("<ignored> [disabled]");
        assert_eq!(regions.rom_region(), Some(None));
        regions.rom("000c0000 [virtual] [disabled] [size=128K]");
        let rom = regions.rom_region().unwrap().unwrap();
        assert_eq!((rom.end, rom.flags & ROM_SHADOW), (0xd_ffff, ROM_SHADOW));
    }
}
