use std::io;

use pci::ConfigSpace;

use super::bar0::Registers;
use super::device::Device;
use super::journal::Journal;
use super::record::{Record, Register, RegisterName, refusal};
use super::{FailureKind, RomFailure};
use crate::tree::why;
use crate::{Function, Reading};

/// Offset of the command register (PCI Express 7.5.1.1.3).
const COMMAND: usize = 0x04;
/// Command register: memory space enable.
const MEMORY: u16 = 1 << 1;

/// Puts a function back as it was found, also when reading its ROM fails half-way. Everything is in the
/// journal before it is changed: when the process is killed, the next one puts it back.
pub(super) struct Restore<'a, D: Device> {
    device: &'a D,
    journal: &'a Journal,
    record: Record,
    command: u16,
    rom_is_enabled: bool,
    shadow: Option<Shadow<D::Registers>>,
    is_recorded: bool,
    done: bool,
}

/// NVIDIA's ROM shadow register, reached through BAR 0.
struct Shadow<R> {
    registers: R,
    offset: u32,
    before: u32,
}

impl<'a, D: Device> Restore<'a, D> {
    /// Nothing is changed yet.
    pub(super) fn new(device: &'a D, journal: &'a Journal, function: &Function) -> Self {
        Self {
            device,
            journal,
            record: Record {
                address: function.address,
                id: function.id,
                power_control: None,
                registers: Vec::new(),
            },
            command: 0,
            rom_is_enabled: false,
            shadow: None,
            is_recorded: false,
            done: false,
        }
    }

    pub(super) fn device(&self) -> &'a D {
        self.device
    }

    fn write_record(&mut self) -> Result<(), RomFailure> {
        self.is_recorded = true;
        self.journal.write(&self.record).map_err(RomFailure::other)
    }

    /// Notes how the function is now.
    pub(super) fn note(&mut self, config: &ConfigSpace) -> Result<(), RomFailure> {
        let register = |name, offset, length| {
            let before = config.bytes().get(offset..offset + length)?.to_vec();
            Some(Register {
                name,
                offset,
                before,
            })
        };
        // The kernel writes the ROM's address as it maps it (`pci_enable_rom`), and does not take back
        // an address that firmware had not written.
        let rom_bar = config
            .rom_bar_offset()
            .map(|offset| register(RegisterName::RomBar, offset, 4));
        let registers = rom_bar
            .into_iter()
            .chain([register(RegisterName::Command, COMMAND, 2)]);
        let (Some(registers), Some(command)) =
            (registers.collect::<Option<Vec<_>>>(), config.command())
        else {
            return Err(RomFailure::other(
                "not root: the configuration space cannot be read",
            ));
        };
        self.record.registers = registers;
        self.command = command;
        self.write_record()
    }

    /// Keeps a function awake that the kernel's power management has put to sleep. One that sleeps for
    /// another reason is left alone.
    pub(super) fn wake(&mut self, state: &str) -> Result<(), RomFailure> {
        let asleep = |more: &str| {
            let why =
                format!("not read: the function is in {state}, and only one in D0 answers; {more}");
            RomFailure::new(FailureKind::Asleep, why)
        };
        let control = match self.device.power_control() {
            Reading::Known(control) if control == "auto" => control,
            Reading::Known(control) => {
                return Err(asleep(&format!(
                    "power/control is '{control}', so it is not the kernel that lets it sleep"
                )));
            }
            Reading::Absent => return Err(asleep("it has no power/control")),
            Reading::Unknown(why) => return Err(asleep(&why)),
        };
        self.record.power_control = Some(control);
        self.write_record()?;
        self.device
            .set_power_control("on")
            .map_err(|error| asleep(&format!("it could not be woken: {}", why(&error))))
    }

    /// Switches memory decode on.
    pub(super) fn decode_memory(&self) -> Result<(), RomFailure> {
        let command = (self.command | MEMORY).to_le_bytes();
        self.device
            .write_config(COMMAND, &command)
            .map_err(|error| {
                let kind = match error.kind() {
                    io::ErrorKind::PermissionDenied => FailureKind::LockedDown,
                    _ => FailureKind::Other,
                };
                let why = format!(
                    "not read: memory decode is off and cannot be switched on: {}",
                    refusal(&error)
                );
                RomFailure::new(kind, why)
            })
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

    /// Clears the bit in NVIDIA's ROM shadow register, at `mirror` in BAR 0 and at `offset` in
    /// configuration space, that hides the flash. The registers are given back for reading.
    pub(super) fn lift_shadow(
        &mut self,
        registers: D::Registers,
        mirror: u32,
        offset: usize,
    ) -> Result<&D::Registers, RomFailure> {
        let before = registers.read(mirror);
        self.record.registers.push(Register {
            name: RegisterName::RomShadow,
            offset,
            before: before.to_le_bytes().to_vec(),
        });
        self.write_record()?;
        let shadow = self.shadow.insert(Shadow {
            registers,
            offset: mirror,
            before,
        });
        if before & 1 != 0 {
            shadow.registers.write(mirror, before & !1);
        }
        Ok(&shadow.registers)
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
        // Through the mirror first, as long as memory decode is on; where that did not help, the record
        // has the same register in configuration space.
        if let Some(shadow) = &self.shadow
            && shadow.registers.read(shadow.offset) != shadow.before
        {
            shadow.registers.write(shadow.offset, shadow.before);
        }
        if self.is_recorded {
            left.extend(self.record.put_back(self.device));
            self.journal.remove(&self.record);
        }
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
