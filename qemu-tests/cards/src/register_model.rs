use std::collections::BTreeMap;
use std::{fmt, io};

use crate::{ConfigRegisters, Flash};

/// The registers behind a BAR.
pub trait RegisterModel: fmt::Debug + Send + Sync {
    /// A read of `data.len()` bytes at `offset` bytes.
    fn read(&mut self, inside: &mut Inside<'_>, offset: u64, data: &mut [u8]) -> io::Result<()>;

    /// A write of `data` at `offset` bytes.
    fn write(&mut self, inside: &mut Inside<'_>, offset: u64, data: &[u8]) -> io::Result<()>;

    /// A copy of it; the profile's own stays as it is after power-on.
    fn boxed(&self) -> Box<dyn RegisterModel>;
}

/// What else of its function a register can reach.
pub struct Inside<'a> {
    /// Configuration space.
    pub config: &'a mut ConfigRegisters,
    /// The chip that holds the option ROM.
    pub flash: &'a mut Flash,
}

impl Clone for Box<dyn RegisterModel> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

/// Registers that remember what is written, beside some that never change. Zero where nothing is.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    fixed: BTreeMap<u64, u32>,
    written: BTreeMap<u64, u8>,
}

impl Scratch {
    /// Zeros.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a read-only 32-bit register at `offset`, a multiple of 4.
    #[must_use]
    pub fn fixed(mut self, offset: u64, value: u32) -> Self {
        self.fixed.insert(offset, value);
        self
    }

    fn byte(&self, offset: u64) -> u8 {
        let bytes = self
            .fixed
            .get(&(offset & !3))
            .map(|word| word.to_le_bytes());
        let lane = usize::try_from(offset & 3).unwrap_or(0);
        bytes
            .and_then(|bytes| bytes.get(lane).copied())
            .or_else(|| self.written.get(&offset).copied())
            .unwrap_or(0)
    }
}

impl RegisterModel for Scratch {
    fn read(&mut self, _: &mut Inside<'_>, offset: u64, data: &mut [u8]) -> io::Result<()> {
        for (offset, byte) in (offset..).zip(data) {
            *byte = self.byte(offset);
        }
        Ok(())
    }

    fn write(&mut self, _: &mut Inside<'_>, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written.extend((offset..).zip(data.iter().copied()));
        Ok(())
    }

    fn boxed(&self) -> Box<dyn RegisterModel> {
        Box::new(self.clone())
    }
}
