use std::io;

use crate::{Inside, RegisterModel, Scratch};

/// ROM index and data of Southern Islands, plain registers (kernel: drivers/gpu/drm/amd/amdgpu/si.c).
const ROM_INDEX: u64 = 0xa8;
const ROM_DATA: u64 = 0xac;
/// SMC index and data of Volcanic Islands (amdgpu/vi.c: `mmSMC_IND_INDEX_11`, four bytes each).
const SMC_INDEX: u64 = 0x6b0;
const SMC_DATA: u64 = 0x6b4;
/// The same two ROM registers, as the SMC numbers them (`ixROM_INDEX`, `ixROM_DATA`).
const SMC_ROM_INDEX: u32 = 0xc060_0010;
const SMC_ROM_DATA: u32 = 0xc060_0014;

/// The register BAR of an AMD card: the ROM by index and data, in the two ways that drivers use. A
/// read of the data moves the index on. Everything else remembers what is written.
#[derive(Clone, Debug, Default)]
pub struct Amd {
    rom_index: u32,
    smc_index: u32,
    rest: Scratch,
}

impl Amd {
    /// Index zero.
    pub fn new() -> Self {
        Self::default()
    }

    fn rom_data(&mut self, inside: &mut Inside<'_>, data: &mut [u8]) -> io::Result<()> {
        let index = usize::try_from(self.rom_index).unwrap_or(usize::MAX);
        self.rom_index = self.rom_index.wrapping_add(4);
        inside.flash.read(index, data)
    }
}

impl RegisterModel for Amd {
    fn read(&mut self, inside: &mut Inside<'_>, offset: u64, data: &mut [u8]) -> io::Result<()> {
        let value = match (offset, self.smc_index) {
            (ROM_DATA, _) | (SMC_DATA, SMC_ROM_DATA) => return self.rom_data(inside, data),
            (ROM_INDEX, _) | (SMC_DATA, SMC_ROM_INDEX) => self.rom_index,
            (SMC_INDEX, _) => self.smc_index,
            _ => return self.rest.read(inside, offset, data),
        };
        for (to, from) in data.iter_mut().zip(value.to_le_bytes()) {
            *to = from;
        }
        Ok(())
    }

    fn write(&mut self, inside: &mut Inside<'_>, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(data) {
            *to = *from;
        }
        let value = u32::from_le_bytes(word);
        match (offset, self.smc_index) {
            (ROM_INDEX, _) | (SMC_DATA, SMC_ROM_INDEX) => self.rom_index = value & !3,
            (SMC_INDEX, _) => self.smc_index = value,
            (ROM_DATA, _) | (SMC_DATA, SMC_ROM_DATA) => {}
            _ => return self.rest.write(inside, offset, data),
        }
        Ok(())
    }

    fn boxed(&self) -> Box<dyn RegisterModel> {
        Box::new(self.clone())
    }
}
