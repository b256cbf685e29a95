//! A function made of memory that behaves as the kernel shows one, with every way to fail.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use nix::errno::Errno;
use pci::{Address, ClassCode, FunctionId};
use tempfile::TempDir;

use super::attempt::{self, Attempt, Outcome};
use super::bar0::Registers;
use super::device::{Device, Signature};
use super::journal::Journal;
use super::{RomSource, prom};
use crate::{Bar, Function, Reading};

pub(super) const UNSET: u64 = 0x2000_0000;
pub(super) const ID: FunctionId = FunctionId::new(0x10de, 0x0fc6);
const ROM_BAR: usize = 0x30;
const MIRROR: u32 = 0x08_8000;
const WINDOW: u32 = 0x30_0000;

/// A function with a ROM, a flash behind BAR 0, and a folder for records.
pub(super) struct Card {
    pub config: Rc<RefCell<Vec<u8>>>,
    pub rom: Vec<u8>,
    pub enabled: Cell<bool>,
    pub reads: Cell<u32>,
    pub driver: Option<&'static str>,
    pub power: Cell<&'static str>,
    pub power_control: RefCell<String>,
    /// What `power_state` says after `on` was written to `power/control`.
    pub wakes_to: &'static str,
    pub locked_down: bool,
    pub fails_at_read: Option<u32>,
    pub changes: bool,
    pub rejected: Option<Signature>,
    pub boot_0: u32,
    /// Ids at the place of the configuration space in BAR 0.
    pub mirrored: Option<u32>,
    pub accesses: Rc<RefCell<Vec<Access>>>,
    /// Where its journal is.
    pub records: TempDir,
}

/// One access to BAR 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read(u32),
    Write(u32, u32),
}

/// Its BAR 0.
pub(super) struct Bar0 {
    config: Rc<RefCell<Vec<u8>>>,
    flash: Vec<u8>,
    boot_0: u32,
    mirrored: Option<u32>,
    changes: bool,
    accesses: Rc<RefCell<Vec<Access>>>,
}

impl Card {
    pub(super) fn new(command: u16) -> Self {
        let mut config = vec![0; 256];
        config[0..4].copy_from_slice(&[0xde, 0x10, 0xc6, 0x0f]);
        config[4..6].copy_from_slice(&command.to_le_bytes());
        config[0x50] = 1;
        Self {
            config: Rc::new(RefCell::new(config)),
            rom: [&[0x55, 0xaa, 1][..], &[7; 509]].concat(),
            enabled: Cell::new(false),
            reads: Cell::new(0),
            driver: None,
            power: Cell::new("D0"),
            power_control: RefCell::new("on".to_owned()),
            wakes_to: "D0",
            locked_down: false,
            fails_at_read: None,
            changes: false,
            rejected: None,
            boot_0: 0x0e70_00a2,
            mirrored: None,
            accesses: Rc::default(),
            records: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn journal(&self) -> Journal {
        Journal::new(&self.records.path().join("records"))
    }

    pub(super) fn attempt(&self, function: &Function, source: RomSource) -> Outcome {
        let attempt = Attempt {
            device: self,
            function,
            journal: &self.journal(),
        };
        match source {
            RomSource::NvidiaProm => prom::attempt(&attempt, &mut || {}),
            _ => attempt::attempt(&attempt, source, &mut || {}),
        }
    }

    /// Reads through the ROM BAR.
    pub(super) fn read(&self) -> Outcome {
        self.attempt(&function(0xfe00_0000, 0x4200), RomSource::RomBar)
    }

    /// Reads through BAR 0.
    pub(super) fn read_prom(&self) -> Outcome {
        self.attempt(&function(0xfe00_0000, 0), RomSource::NvidiaProm)
    }

    pub(super) fn config_now(&self) -> Vec<u8> {
        self.config.borrow().clone()
    }

    fn decodes(&self) -> bool {
        self.config.borrow()[4] & 2 != 0
    }
}

impl Device for Card {
    type Registers = Bar0;

    fn driver(&self) -> Reading<String> {
        self.driver
            .map_or(Reading::Absent, |driver| Reading::Known(driver.to_owned()))
    }

    fn power_state(&self) -> Reading<String> {
        Reading::Known(self.power.get().to_owned())
    }

    fn power_control(&self) -> Reading<String> {
        Reading::Known(self.power_control.borrow().clone())
    }

    fn set_power_control(&self, control: &str) -> io::Result<()> {
        control.clone_into(&mut self.power_control.borrow_mut());
        if control == "on" {
            self.power.set(self.wakes_to);
        }
        Ok(())
    }

    fn config(&self) -> io::Result<Vec<u8>> {
        Ok(self.config_now())
    }

    fn write_config(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if self.locked_down {
            return Err(Errno::EPERM.into());
        }
        self.config.borrow_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn enable_rom(&self, on: bool) -> io::Result<()> {
        self.enabled.set(on);
        Ok(())
    }

    fn read_rom(&self) -> io::Result<Vec<u8>> {
        assert!(self.enabled.get(), "read without being enabled");
        self.reads.set(self.reads.get() + 1);
        // As `pci_enable_rom` does: the address stays when the kernel takes the enable bit back.
        self.config.borrow_mut()[ROM_BAR..ROM_BAR + 4].copy_from_slice(&[0, 0, 0, 0xfe]);
        if self.fails_at_read == Some(self.reads.get()) {
            return Err(Errno::EIO.into());
        }
        let mut rom = if self.decodes() {
            self.rom.clone()
        } else {
            vec![0xff; 512]
        };
        if self.changes {
            rom[9] = u8::try_from(self.reads.get()).unwrap();
        }
        Ok(rom)
    }

    fn rejected_signature(&self) -> Option<Signature> {
        self.rejected
    }

    fn map_bar0(&self, _: usize) -> io::Result<Bar0> {
        if self.locked_down {
            return Err(Errno::EPERM.into());
        }
        Ok(Bar0 {
            config: self.config.clone(),
            flash: self.rom.clone(),
            boot_0: self.boot_0,
            mirrored: self.mirrored,
            changes: self.changes,
            accesses: self.accesses.clone(),
        })
    }
}

impl Registers for Bar0 {
    fn read(&self, offset: u32) -> u32 {
        self.accesses.borrow_mut().push(Access::Read(offset));
        let config = self.config.borrow();
        let word = |bytes: &[u8], at: usize| {
            let mut word = [0xff; 4];
            let there = bytes.get(at..).unwrap_or_default();
            for (to, from) in word.iter_mut().zip(there) {
                *to = *from;
            }
            u32::from_le_bytes(word)
        };
        let at = |start: u32| usize::try_from(offset - start).unwrap();
        match offset {
            _ if config[4] & 2 == 0 => u32::MAX,
            0 => self.boot_0,
            MIRROR if self.mirrored.is_some() => self.mirrored.unwrap(),
            _ if offset >= WINDOW && config[0x50] & 1 != 0 => 0,
            _ if offset >= WINDOW => {
                let accesses = self.accesses.borrow();
                let again = accesses.iter().filter(|one| **one == Access::Read(offset));
                let changed = self.changes && at(WINDOW) == 8 && again.count() > 1;
                word(&self.flash, at(WINDOW)) ^ u32::from(changed)
            }
            _ if offset >= MIRROR => word(&config, at(MIRROR)),
            _ => 0,
        }
    }

    fn write(&self, offset: u32, value: u32) {
        self.accesses
            .borrow_mut()
            .push(Access::Write(offset, value));
        let at = usize::try_from(offset - MIRROR).unwrap();
        self.config.borrow_mut()[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

/// A display function with a ROM region at this address, and BAR flags beside "memory".
pub(super) fn function(rom_start: u64, bar_flags: u64) -> Function {
    let address = "0000:01:00.0".parse::<Address>().unwrap();
    let bar = |index, start, length: u64| Bar {
        index,
        start,
        end: start + length - 1,
        flags: bar_flags | 0x200,
    };
    Function {
        id: ID,
        class: ClassCode(0x03_00_00),
        driver: Reading::Absent,
        bars: Reading::Known(vec![
            bar(0, 0xc000_0000, 16 << 20),
            bar(1, 0xd000_0000, 256 << 20),
        ]),
        rom_region: Reading::Known(Bar {
            index: 6,
            start: rom_start,
            end: rom_start + 0x7ffff,
            flags: 0x46200,
        }),
        has_rom_file: true,
        config: Reading::Absent,
        parent: Reading::Absent,
        ..Function::unknown(address, "not part of this test")
    }
}
