use std::io;

use pci::ConfigSpace;

use super::device::Device;
use crate::tree::why;

/// Offset of the command register (PCI Express 7.5.1.1.3).
const COMMAND: usize = 0x04;
/// Command register: memory space enable.
const MEMORY: u16 = 1 << 1;

/// Puts a function back as it was found, also when reading its ROM fails half-way. A process that is killed,
/// or that panics where a panic aborts, leaves it as it is.
pub(super) struct Restore<'a, D: Device> {
    device: &'a D,
    registers: Vec<Register>,
    command: u16,
    rom_is_enabled: bool,
    done: bool,
}

/// A register and what was in it.
struct Register {
    name: &'static str,
    offset: usize,
    before: Vec<u8>,
}

impl<'a, D: Device> Restore<'a, D> {
    /// Notes how the function is now; `None` when its configuration space does not reach so far.
    pub(super) fn note(device: &'a D, config: &ConfigSpace) -> Option<Self> {
        let register = |name, offset, length| {
            let before = config.bytes().get(offset..offset + length)?.to_vec();
            Some(Register {
                name,
                offset,
                before,
            })
        };
        let mut registers = vec![register("the command register", COMMAND, 2)?];
        // The kernel writes the ROM's address as it maps it (`pci_enable_rom`), and does not take back
        // an address that firmware had not written.
        if let Some(offset) = config.rom_bar_offset() {
            registers.insert(0, register("the expansion ROM base address", offset, 4)?);
        }
        let command = config.command()?;
        Some(Self {
            device,
            registers,
            command,
            rom_is_enabled: false,
            done: false,
        })
    }

    /// Switches memory decode on.
    pub(super) fn decode_memory(&self) -> io::Result<()> {
        self.device
            .write_config(COMMAND, &(self.command | MEMORY).to_le_bytes())
    }

    /// Reads the ROM once.
    pub(super) fn read_rom(&mut self) -> io::Result<Vec<u8>> {
        self.rom_is_enabled = true;
        self.device.enable_rom(true)?;
        let bytes = self.device.read_rom()?;
        self.device.enable_rom(false)?;
        self.rom_is_enabled = false;
        Ok(bytes)
    }

    /// Restores, and says what is not as it was.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.done = true;
        self.restore()
    }

    fn restore(&self) -> Vec<String> {
        let mut left = Vec::new();
        if self.rom_is_enabled
            && let Err(error) = self.device.enable_rom(false)
        {
            left.push(format!(
                "the file rom is still open for reading: {}",
                why(&error)
            ));
        }
        left.extend(
            self.registers
                .iter()
                .filter_map(|register| register.put_back(self.device)),
        );
        left
    }
}

impl<D: Device> Drop for Restore<'_, D> {
    fn drop(&mut self) {
        if !self.done {
            self.restore();
        }
    }
}

impl Register {
    /// Writes it back when it differs, and looks again. Writing what is already there could only harm.
    fn put_back(&self, device: &impl Device) -> Option<String> {
        let now = || {
            let config = device.config().ok()?;
            Some(
                config
                    .get(self.offset..self.offset + self.before.len())?
                    .to_vec(),
            )
        };
        if now().as_ref() == Some(&self.before) {
            return None;
        }
        let refused = match device.write_config(self.offset, &self.before) {
            Ok(()) => String::new(),
            Err(error) => format!(" ({})", refusal(&error)),
        };
        let now = now();
        if now.as_ref() == Some(&self.before) {
            return None;
        }
        let now = now.map_or("unreadable".to_owned(), |now| hex(&now));
        Some(format!(
            "{} was {} and is {now}{refused}",
            self.name,
            hex(&self.before)
        ))
    }
}

/// A little-endian register as people write it.
fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("0x{digits}")
}

/// Why a write to configuration space failed. Root is refused only by lockdown.
pub(super) fn refusal(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        "the kernel refuses writes to configuration space: it is locked down, as with Secure Boot, or \
         this is not root"
            .to_owned()
    } else {
        error.to_string()
    }
}
