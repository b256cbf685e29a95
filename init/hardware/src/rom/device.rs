use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::fcntl::OFlag;
use pci::Address;

use super::bar0::{Mapping, Registers};
use super::twice::LIMIT;
use crate::tree::Tree;
use crate::{Reading, Source, kernel_log};

const CHUNK: usize = 64 << 10;

/// What reading a ROM does to one function. The seam between the order of the steps, which tests try
/// with every failure, and the kernel.
pub(super) trait Device {
    /// Registers in BAR 0.
    type Registers: Registers;
    /// Name of the bound driver.
    fn driver(&self) -> Reading<String>;
    /// The kernel's word for the power state.
    fn power_state(&self) -> Reading<String>;
    /// `power/control`: `auto` lets an idle function sleep, `on` keeps it awake.
    fn power_control(&self) -> Reading<String>;
    /// Writes `power/control`. `on` returns when the function is awake.
    fn set_power_control(&self, control: &str) -> io::Result<()>;
    /// As much of the configuration space as can be read.
    fn config(&self) -> io::Result<Vec<u8>>;
    /// Writes into the configuration space.
    fn write_config(&self, offset: usize, bytes: &[u8]) -> io::Result<()>;
    /// Lets the ROM be read, or ends that.
    fn enable_rom(&self, on: bool) -> io::Result<()>;
    /// The ROM's bytes, at most one more than [`LIMIT`].
    fn read_rom(&self) -> io::Result<Vec<u8>>;
    /// What the kernel found in place of a ROM the last time that it refused one.
    fn rejected_signature(&self) -> Option<Signature>;
    /// Maps so many bytes of BAR 0 for 32-bit accesses.
    fn map_bar0(&self, length: usize) -> io::Result<Self::Registers>;
}

/// What the kernel found where a ROM should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// This in place of 0xaa55.
    Image(u16),
    /// An image without PCIR.
    Pcir,
}

/// A function through its folder in sysfs.
pub(super) struct SysfsDevice {
    folder: Tree,
    address: Address,
}

impl SysfsDevice {
    pub(super) fn new(folder: Tree, address: Address) -> Self {
        Self { folder, address }
    }

    fn open(&self, name: &str, flags: OFlag) -> io::Result<File> {
        self.folder.open_file(name, flags)
    }
}

impl Device for SysfsDevice {
    type Registers = Mapping;

    fn driver(&self) -> Reading<String> {
        let link = self.folder.link("driver");
        self.folder
            .reading("driver", link)
            .map(|link| crate::read::last(&link).to_owned())
    }

    fn power_state(&self) -> Reading<String> {
        self.folder.read_text("power_state")
    }

    fn power_control(&self) -> Reading<String> {
        self.folder.read_text("power/control")
    }

    fn set_power_control(&self, control: &str) -> io::Result<()> {
        self.open("power/control", OFlag::O_RDWR)?
            .write_all_at(control.as_bytes(), 0)
    }

    fn config(&self) -> io::Result<Vec<u8>> {
        self.folder.bytes("config", 4096)
    }

    fn write_config(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let offset = u64::try_from(offset).map_err(io::Error::other)?;
        self.open("config", OFlag::O_RDWR)?
            .write_all_at(bytes, offset)
    }

    /// `pci_write_rom` takes exactly `0` and a line break for off, anything else for on.
    fn enable_rom(&self, on: bool) -> io::Result<()> {
        self.open("rom", OFlag::O_RDWR)?
            .write_all_at(if on { b"1\n" } else { b"0\n" }, 0)
    }

    fn read_rom(&self) -> io::Result<Vec<u8>> {
        let file = self.open("rom", OFlag::O_RDONLY)?;
        let mut bytes = Vec::new();
        let mut chunk = vec![0; CHUNK];
        while bytes.len() <= LIMIT {
            let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            match file.read_at(&mut chunk, offset) {
                Ok(0) => break,
                Ok(length) => bytes.extend_from_slice(chunk.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    fn rejected_signature(&self) -> Option<Signature> {
        match kernel_log(&Source::live()) {
            Reading::Known(log) => rejected_signature(&log, self.address),
            Reading::Absent | Reading::Unknown(_) => None,
        }
    }

    fn map_bar0(&self, length: usize) -> io::Result<Mapping> {
        Mapping::new(&self.open("resource0", OFlag::O_RDWR)?, length)
    }
}

/// The last word of the kernel about this function's ROM (`pci_get_rom_size` in drivers/pci/rom.c).
fn rejected_signature(log: &str, address: Address) -> Option<Signature> {
    const IMAGE: &str = "Invalid PCI ROM header signature: expecting 0xaa55, got 0x";
    const PCIR: &str = "Invalid PCI ROM data signature: ";
    let about = format!(" {address}: ");
    log.lines().rev().find_map(|line| {
        let (_, message) = line.split_once(&about)?;
        if message.starts_with(PCIR) {
            return Some(Signature::Pcir);
        }
        let found = message.strip_prefix(IMAGE)?.get(..4)?;
        u16::from_str_radix(found, 16).ok().map(Signature::Image)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_the_kernel_about_this_function_counts() {
        let log = "[    1.0] pci 0000:01:00.0: Invalid PCI ROM header signature: expecting 0xaa55, got 0x5a5a\n\
                   [    2.0] pci 0000:01:00.0: Invalid PCI ROM header signature: expecting 0xaa55, got 0xffff\n\
                   [    3.0] pci 0000:02:00.0: Invalid PCI ROM data signature: expecting 0x52494350, got 0x0\n";
        let found = |address: &str| rejected_signature(log, address.parse().unwrap());
        assert_eq!(found("01:00.0"), Some(Signature::Image(0xffff)));
        assert_eq!(found("02:00.0"), Some(Signature::Pcir));
        assert_eq!(found("03:00.0"), None);
    }
}
