use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::fcntl::OFlag;

use crate::Reading;
use crate::tree::Tree;

/// A ROM BAR holds at most 16 MiB (PCI Local Bus specification 3.0, 6.2.5.2).
pub(super) const LIMIT: usize = 16 << 20;
const CHUNK: usize = 64 << 10;

/// What reading a ROM does to one function. The seam between the order of the steps, which tests try
/// with every failure, and the kernel.
pub(super) trait Device {
    /// Name of the bound driver.
    fn driver(&self) -> Reading<String>;
    /// The kernel's word for the power state.
    fn power_state(&self) -> Reading<String>;
    /// As much of the configuration space as can be read.
    fn config(&self) -> io::Result<Vec<u8>>;
    /// Writes into the configuration space.
    fn write_config(&self, offset: usize, bytes: &[u8]) -> io::Result<()>;
    /// Lets the ROM be read, or ends that.
    fn enable_rom(&self, on: bool) -> io::Result<()>;
    /// The ROM's bytes, at most one more than [`LIMIT`].
    fn read_rom(&self) -> io::Result<Vec<u8>>;
}

/// A function through its folder in sysfs.
pub(super) struct SysfsDevice {
    folder: Tree,
}

impl SysfsDevice {
    pub(super) fn new(folder: Tree) -> Self {
        Self { folder }
    }

    fn open(&self, name: &str, flags: OFlag) -> io::Result<File> {
        self.folder.open_file(name, flags)
    }
}

impl Device for SysfsDevice {
    fn driver(&self) -> Reading<String> {
        let link = self.folder.link("driver");
        self.folder
            .reading("driver", link)
            .map(|link| crate::read::last(&link).to_owned())
    }

    fn power_state(&self) -> Reading<String> {
        self.folder.read_text("power_state")
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
}
