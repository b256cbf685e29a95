use crate::pe;
use crate::{bytes::filler, compress};

/// Processor that an EFI driver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 0x014c.
    Ia32,
    /// 0x8664.
    X64,
    /// 0xaa64.
    Arm64,
}

/// Kind of an EFI program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsystem {
    /// 0x0b: ends with the boot services.
    BootServiceDriver,
    /// 0x0c: stays while the system runs.
    RuntimeDriver,
}

/// An EFI driver that reports success and does nothing else, as it stands in an EFI image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfiImage {
    /// Processor, in the image's header and in the PE file.
    pub machine: Machine,
    /// Subsystem, in the image's header and in the PE file.
    pub subsystem: Subsystem,
    /// Whether the PE file is compressed (UEFI specification 2.10, chapter 19).
    pub compressed: bool,
    /// Bytes of data that the driver carries beside its code.
    pub data: usize,
    /// What it writes to QEMU's debug console when firmware starts it (x86 only).
    pub word: &'static str,
}

impl Machine {
    /// Machine field of a PE file.
    pub const fn number(self) -> u16 {
        match self {
            Self::Ia32 => 0x014c,
            Self::X64 => 0x8664,
            Self::Arm64 => 0xaa64,
        }
    }
}

impl Subsystem {
    /// Subsystem field of a PE file.
    pub const fn number(self) -> u16 {
        match self {
            Self::BootServiceDriver => 0x0b,
            Self::RuntimeDriver => 0x0c,
        }
    }
}

impl EfiImage {
    /// A boot service driver for this machine, not compressed, with 4 KiB of data.
    pub const fn new(machine: Machine) -> Self {
        Self {
            machine,
            subsystem: Subsystem::BootServiceDriver,
            compressed: false,
            data: 4096,
            word: "",
        }
    }

    /// For x86-64.
    pub const fn x64() -> Self {
        Self::new(Machine::X64)
    }

    /// With its PE file compressed.
    #[must_use]
    pub const fn compressed(mut self) -> Self {
        self.compressed = true;
        self
    }

    /// With this subsystem.
    #[must_use]
    pub const fn subsystem(mut self, subsystem: Subsystem) -> Self {
        self.subsystem = subsystem;
        self
    }

    /// With this written to the debug console, I/O port 0xe9, when firmware starts it (x86 only).
    #[must_use]
    pub const fn says(mut self, word: &'static str) -> Self {
        self.word = word;
        self
    }

    /// With so many bytes of data.
    #[must_use]
    pub const fn data(mut self, length: usize) -> Self {
        self.data = length;
        self
    }

    /// The PE file, as the firmware's loader gets it.
    pub fn pe(&self, seed: u64) -> Vec<u8> {
        // Half of it repeats, so that a compressor has something to find.
        let mut data = filler(seed, self.data.div_ceil(2));
        data.extend_from_within(..);
        data.truncate(self.data);
        pe::driver(self.machine, self.subsystem, self.word.as_bytes(), &data)
    }

    /// The bytes behind the header of an EFI image.
    pub(crate) fn stored(&self, seed: u64) -> Vec<u8> {
        let pe = self.pe(seed);
        if self.compressed { compress(&pe) } else { pe }
    }
}
