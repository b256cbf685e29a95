use std::collections::BTreeSet;

use crate::config::LENGTH;
use crate::{Bar, Capability, ConfigRegisters, Express, Function, ProfileError, Register, Rom};

/// The first capability goes here. NVIDIA keeps registers of its own below.
const FIRST_CAPABILITY: usize = 0x60;
const FIRST_EXTENDED: usize = 0x100;
const CAPABILITIES_POINTER: usize = 0x34;
const BARS: usize = 0x10;
const ROM_BAR: usize = 0x30;

/// A function's configuration space after power-on, and where in it the device must look.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) registers: ConfigRegisters,
    /// Device control, if there is a function-level reset.
    pub(crate) device_control: Option<usize>,
}

impl Layout {
    /// Of `function`, which is number `number` of a card with more functions if `multifunction`.
    pub(crate) fn new(
        function: &Function,
        number: u8,
        multifunction: bool,
    ) -> Result<Self, ProfileError> {
        let mut space = Space {
            number,
            registers: ConfigRegisters::default(),
            taken: BTreeSet::new(),
        };
        for (offset, register) in &function.registers {
            space.define(*offset, *register)?;
        }
        space.header(function, multifunction)?;
        space.bars(function)?;
        let device_control = space.capabilities(function)?;
        space.extended(function)?;
        Ok(Self {
            registers: space.registers,
            device_control,
        })
    }
}

struct Space {
    number: u8,
    registers: ConfigRegisters,
    taken: BTreeSet<usize>,
}

impl Space {
    fn define(&mut self, offset: usize, register: Register) -> Result<(), ProfileError> {
        let function = self.number;
        if offset + 4 > LENGTH {
            return Err(ProfileError::Full { function });
        }
        if !self.taken.insert(offset & !3) {
            return Err(ProfileError::Overlap { function, offset });
        }
        self.registers.define(offset, register);
        Ok(())
    }

    /// The type 0 header (PCI Express Base specification, 7.5.1), without its BARs.
    fn header(&mut self, function: &Function, multifunction: bool) -> Result<(), ProfileError> {
        let fixed = Register::fixed;
        let ids = |id: pci::FunctionId| u32::from(id.vendor.0) | u32::from(id.device.0) << 16;
        let has_list = u32::from(!function.capabilities.is_empty());
        let first = if has_list == 1 { FIRST_CAPABILITY } else { 0 };
        let class = function.class.0 << 8 | u32::from(function.revision);
        let header_type = u32::from(multifunction) << 23;
        let rows = [
            (0x00, fixed(ids(function.id))),
            (
                0x04,
                Register::writable(has_list << 20, 0x0000_0547).clears(0xf900_0000),
            ),
            (0x08, fixed(class)),
            (0x0c, Register::writable(header_type, 0x0000_00ff)),
            (0x28, fixed(0)),
            (0x2c, fixed(ids(function.subsystem))),
            (
                CAPABILITIES_POINTER,
                fixed(u32::try_from(first).unwrap_or(0)),
            ),
            (0x38, fixed(0)),
            (
                0x3c,
                Register::writable(u32::from(function.interrupt_pin) << 8, 0x0000_00ff),
            ),
        ];
        for (offset, register) in rows {
            self.define(offset, register)?;
        }
        Ok(())
    }

    fn bars(&mut self, function: &Function) -> Result<(), ProfileError> {
        let number = self.number;
        for (index, bar) in &function.bars {
            if !bar.has_valid_size() {
                return Err(ProfileError::BarSize {
                    function: number,
                    index: *index,
                    size: bar.size(),
                });
            }
            let registers = bar_registers(bar);
            for (offset, register) in (usize::from(*index)..).zip(registers) {
                let fits = offset < 6 && self.define(BARS + 4 * offset, register).is_ok();
                if !fits {
                    return Err(ProfileError::BarIndex {
                        function: number,
                        index: *index,
                    });
                }
            }
        }
        let size = function.rom.as_ref().map_or(0, Rom::bar_length);
        if !function.rom.as_ref().is_none_or(Rom::has_valid_bar) {
            return Err(ProfileError::RomSize {
                function: number,
                size,
            });
        }
        let address = u32::try_from(size).unwrap_or(0).wrapping_neg() & 0xffff_f800;
        let enable = u32::from(size > 0);
        self.define(ROM_BAR, Register::writable(0, address | enable))
    }

    /// The conventional list; returns where device control is, if it can reset.
    fn capabilities(&mut self, function: &Function) -> Result<Option<usize>, ProfileError> {
        let mut at = FIRST_CAPABILITY;
        let mut device_control = None;
        let last = function.capabilities.len().saturating_sub(1);
        for (index, capability) in function.capabilities.iter().enumerate() {
            let mut registers = capability.registers();
            let next = at + 4 * registers.len();
            if next > FIRST_EXTENDED {
                return Err(ProfileError::Full {
                    function: self.number,
                });
            }
            let pointer = if index == last { 0 } else { next };
            if let Some(first) = registers.first_mut() {
                let pointer = u32::try_from(pointer).unwrap_or(0);
                first.value |= u32::from(capability.id()) | pointer << 8;
            }
            if matches!(capability, Capability::PowerManagement) && function.stuck_in_d3 {
                registers.truncate(1);
                registers.push(Register::fixed(0x0000_000b));
            }
            if matches!(capability, Capability::Express(express) if Express::resets(express)) {
                device_control = Some(at + 8);
            }
            for (offset, register) in (at..).step_by(4).zip(registers) {
                self.define(offset, register)?;
            }
            at = next;
        }
        Ok(device_control)
    }

    fn extended(&mut self, function: &Function) -> Result<(), ProfileError> {
        let mut at = FIRST_EXTENDED;
        let last = function.extended.len().saturating_sub(1);
        for (index, capability) in function.extended.iter().enumerate() {
            let registers = capability.registers();
            let next = at + 4 + 4 * registers.len();
            let pointer = if index == last { 0 } else { next };
            let (id, version) = capability.id();
            let header = u32::from(id)
                | u32::from(version & 0x0f) << 16
                | u32::try_from(pointer).unwrap_or(0) << 20;
            let all = std::iter::once(Register::fixed(header)).chain(registers);
            for (offset, register) in (at..).step_by(4).zip(all) {
                self.define(offset, register)?;
            }
            at = next;
        }
        Ok(())
    }
}

fn bar_registers(bar: &Bar) -> Vec<Register> {
    let [low, high] = [bar.address_bits(), bar.address_bits() >> 32]
        .map(|bits| u32::try_from(bits & 0xffff_ffff).unwrap_or(0));
    let mut registers = vec![Register::writable(bar.type_bits(), low)];
    if bar.is_64_bits() {
        registers.push(Register::writable(0, high));
    }
    registers
}
