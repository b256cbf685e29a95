use std::io;

use pci::{Address, FunctionId};
use serde::{Deserialize, Serialize};

use super::device::Device;

/// How a function was before its ROM was read: everything that has to be put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub address: Address,
    pub id: FunctionId,
    /// What `power/control` said, when it was changed.
    pub power_control: Option<String>,
    pub registers: Vec<Register>,
}

/// A register of configuration space and what was in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Register {
    pub name: RegisterName,
    pub offset: usize,
    /// Little-endian.
    pub before: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RegisterName {
    Command,
    RomBar,
    /// NVIDIA's, at 0x50: its bit 0 puts a copy in memory before the flash.
    RomShadow,
}

impl RegisterName {
    const fn words(self) -> &'static str {
        match self {
            Self::Command => "the command register",
            Self::RomBar => "the expansion ROM base address",
            Self::RomShadow => "NVIDIA's ROM shadow register",
        }
    }
}

impl Record {
    /// Puts back what is on record, registers first: a sleeping function answers to none. Says what is
    /// not as it was.
    pub fn put_back(&self, device: &impl Device) -> Vec<String> {
        let registers = self.registers.iter();
        let mut left: Vec<String> = registers
            .filter_map(|register| register.put_back(device))
            .collect();
        if let Some(control) = &self.power_control
            && let Err(error) = device.set_power_control(control)
        {
            left.push(format!(
                "power/control was '{control}' and is 'on': {error}"
            ));
        }
        left
    }
}

impl Register {
    /// Writes it back when it differs, and looks again. Writing what is already there could only harm.
    fn put_back(&self, device: &impl Device) -> Option<String> {
        let now = || {
            let config = device.config().ok()?;
            let end = self.offset.checked_add(self.before.len())?;
            Some(config.get(self.offset..end)?.to_vec())
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
            self.name.words(),
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
