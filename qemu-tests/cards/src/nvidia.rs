use std::io;
use std::ops::Range;

use crate::{Inside, RegisterModel, Scratch};

/// Configuration space in BAR 0 (kernel: drivers/gpu/drm/nouveau/nvkm/subdev/pci/nv40.c, g84.c).
const CONFIG_MIRROR: Range<u64> = 0x08_8000..0x08_9000;
/// The ROM's flash in BAR 0 (nvkm/subdev/bios/shadowrom.c).
const PROM: Range<u64> = 0x30_0000..0x40_0000;
/// Configuration register whose bit 0 puts the shadow in memory in front of the flash.
pub(crate) const ROM_SHADOW: usize = 0x50;
/// Configuration register that makes the audio function appear (kernel: quirk_nvidia_hda).
pub(crate) const AUDIO_ENABLE: usize = 0x488;
/// The bit in [`AUDIO_ENABLE`].
pub(crate) const AUDIO_ENABLE_BIT: u32 = 1 << 25;
/// PMC boot register: the chip's identity.
const BOOT_0: u64 = 0;

/// BAR 0 of an NVIDIA card from NV50 on: boot register, configuration mirror, and PROM behind its
/// shadow gate. Everything else remembers what is written.
#[derive(Clone, Debug)]
pub struct Nvidia {
    rest: Scratch,
}

impl Nvidia {
    /// With this boot register (0x0e7000a2 is a GK107).
    pub fn new(boot_0: u32) -> Self {
        Self {
            rest: Scratch::new().fixed(BOOT_0, boot_0),
        }
    }
}

impl RegisterModel for Nvidia {
    fn read(&mut self, inside: &mut Inside<'_>, offset: u64, data: &mut [u8]) -> io::Result<()> {
        if let Some(offset) = within(&CONFIG_MIRROR, offset) {
            inside.config.read(offset, data);
            return Ok(());
        }
        match within(&PROM, offset) {
            Some(_) if inside.config.u8(ROM_SHADOW) & 1 == 1 => {
                data.fill(0);
                Ok(())
            }
            Some(offset) => inside.flash.read(offset, data),
            None => self.rest.read(inside, offset, data),
        }
    }

    fn write(&mut self, inside: &mut Inside<'_>, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Some(offset) = within(&CONFIG_MIRROR, offset) {
            inside.config.write(offset, data);
            return Ok(());
        }
        match within(&PROM, offset) {
            Some(_) => Ok(()),
            None => self.rest.write(inside, offset, data),
        }
    }

    fn boxed(&self) -> Box<dyn RegisterModel> {
        Box::new(self.clone())
    }
}

fn within(range: &Range<u64>, offset: u64) -> Option<usize> {
    let inside = range.contains(&offset).then(|| offset - range.start)?;
    usize::try_from(inside).ok()
}
