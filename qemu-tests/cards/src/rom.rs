use std::io;
use std::time::Duration;

/// Smallest ROM BAR: address bits 10:0 are no address bits.
const LEAST_BAR: u64 = 2048;

/// A function's option ROM: the flash's bytes and how they are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rom {
    bytes: Vec<u8>,
    bar: RomBar,
    fault: Option<RomFault>,
    from_file: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RomBar {
    None,
    ToFit,
    Sized(u64),
}

/// What is wrong with reading a ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RomFault {
    /// Every byte reads as 0xff.
    AllOnes,
    /// Bytes from this offset on read as 0xff.
    Truncated(usize),
    /// Each pass that begins at offset 0 reads a different byte at 0x200.
    ///
    /// QEMU reads the ROM BAR once per boot and gives the guest its copy, so there only NVIDIA's PROM
    /// and AMD's index and data registers show this one.
    Unstable,
    /// A read that reaches this offset fails. QEMU takes the ROM BAR in one read, so its guest sees
    /// nothing but 0xff there.
    Error(usize),
    /// Each read access takes so long: one for the whole ROM BAR in QEMU, one for each word of PROM.
    Slow(Duration),
}

impl Rom {
    /// These bytes, behind a BAR that is just large enough.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            bar: RomBar::ToFit,
            fault: None,
            from_file: false,
        }
    }

    /// With a BAR of so many bytes, a power of two.
    #[must_use]
    pub const fn bar_size(mut self, size: u64) -> Self {
        self.bar = RomBar::Sized(size);
        self
    }

    /// Without a ROM BAR: only registers reach the flash.
    #[must_use]
    pub const fn without_bar(mut self) -> Self {
        self.bar = RomBar::None;
        self
    }

    /// With this fault.
    #[must_use]
    pub const fn fault(mut self, fault: RomFault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Given to QEMU as a file. QEMU writes the function's device id over the one in PCIR when it reads
    /// a ROM of the same vendor from the card, and leaves a file alone. No read of the BAR is logged,
    /// and no fault shows there.
    #[must_use]
    pub const fn from_file(mut self) -> Self {
        self.from_file = true;
        self
    }

    /// The flash's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn is_from_file(&self) -> bool {
        self.from_file
    }

    /// Size of the ROM BAR in bytes; zero without one.
    pub fn bar_length(&self) -> u64 {
        match self.bar {
            RomBar::None => 0,
            RomBar::ToFit => (self.bytes.len() as u64).next_power_of_two().max(LEAST_BAR),
            RomBar::Sized(size) => size,
        }
    }

    /// Whether a BAR register can express the size.
    pub(crate) fn has_valid_bar(&self) -> bool {
        let size = self.bar_length();
        size == 0 || (size.is_power_of_two() && (LEAST_BAR..=16 << 20).contains(&size))
    }
}

/// The chip that holds the ROM, as it answers.
#[derive(Clone, Debug, Default)]
pub struct Flash {
    bytes: Vec<u8>,
    fault: Option<RomFault>,
    passes: u8,
}

impl Flash {
    /// The chip after power-on.
    pub(crate) fn new(rom: &Rom) -> Self {
        Self {
            bytes: rom.bytes.clone(),
            fault: rom.fault,
            passes: 0,
        }
    }

    /// Reads from `offset` on; 0xff behind the end.
    pub fn read(&mut self, offset: usize, data: &mut [u8]) -> io::Result<()> {
        if offset == 0 {
            self.passes = self.passes.wrapping_add(1);
        }
        match self.fault {
            Some(RomFault::Error(from)) if offset.saturating_add(data.len()) > from => {
                return Err(io::Error::other("the flash does not answer"));
            }
            Some(RomFault::Slow(time)) => std::thread::sleep(time),
            _ => {}
        }
        for (offset, byte) in (offset..).zip(data) {
            *byte = self.byte(offset);
        }
        Ok(())
    }

    fn byte(&self, offset: usize) -> u8 {
        let byte = self.bytes.get(offset).copied().unwrap_or(0xff);
        match self.fault {
            Some(RomFault::AllOnes) => 0xff,
            Some(RomFault::Truncated(length)) if offset >= length => 0xff,
            Some(RomFault::Unstable) if offset == 0x200 => byte.wrapping_add(self.passes),
            _ => byte,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flash: &mut Flash) -> io::Result<Vec<u8>> {
        let mut data = vec![0; 4096];
        flash.read(0, &mut data)?;
        Ok(data)
    }

    #[test]
    fn a_healthy_flash_answers_the_same_twice_and_ones_behind_its_end() {
        let mut flash = Flash::new(&Rom::new(vec![7; 1000]));
        let first = read(&mut flash).unwrap();
        assert_eq!(read(&mut flash).unwrap(), first);
        assert_eq!((first[999], first[1000]), (7, 0xff));
    }

    #[test]
    fn each_fault_shows_in_its_own_way() {
        let with = |fault| Flash::new(&Rom::new(vec![7; 4096]).fault(fault));
        let mut unstable = with(RomFault::Unstable);
        assert_ne!(read(&mut unstable).unwrap(), read(&mut unstable).unwrap());
        assert_eq!(read(&mut with(RomFault::AllOnes)).unwrap(), [0xff; 4096]);
        let cut = read(&mut with(RomFault::Truncated(512))).unwrap();
        assert_eq!((cut[511], cut[512]), (7, 0xff));
        let mut failing = with(RomFault::Error(2048));
        assert!(read(&mut failing).is_err());
        assert!(failing.read(0, &mut [0; 2048]).is_ok());
        let start = std::time::Instant::now();
        read(&mut with(RomFault::Slow(Duration::from_millis(20)))).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_bar_fits_its_rom() {
        assert_eq!(Rom::new(vec![0; 0x1_f800]).bar_length(), 0x2_0000);
        assert_eq!(Rom::new(vec![0; 10]).bar_length(), 2048);
        assert_eq!(Rom::new(vec![0; 10]).without_bar().bar_length(), 0);
        assert!(!Rom::new(vec![]).bar_size(3000).has_valid_bar());
    }
}
