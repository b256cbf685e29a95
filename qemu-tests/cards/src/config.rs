/// Bytes of a PCI Express function's configuration space.
pub(crate) const LENGTH: usize = 4096;

/// A 32-bit configuration register: what it holds after power-on and which of its bits a write
/// changes. All other bits are read-only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// Value after power-on.
    pub value: u32,
    /// Bits that take what is written.
    pub writable: u32,
    /// Bits that a written one clears.
    pub clears: u32,
}

/// A function's configuration space as a device keeps it (PCI Express Base specification, 7.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigRegisters {
    bytes: Vec<ByteRegister>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ByteRegister {
    value: u8,
    writable: u8,
    clears: u8,
}

impl Register {
    /// All bits read-only.
    pub const fn fixed(value: u32) -> Self {
        Self {
            value,
            writable: 0,
            clears: 0,
        }
    }

    /// The bits of `writable` can be written.
    pub const fn writable(value: u32, writable: u32) -> Self {
        Self {
            value,
            writable,
            clears: 0,
        }
    }

    /// The bits of `clears` are cleared by writing ones to them, too.
    #[must_use]
    pub const fn clears(mut self, clears: u32) -> Self {
        self.clears = clears;
        self
    }
}

impl Default for ConfigRegisters {
    fn default() -> Self {
        Self {
            bytes: vec![ByteRegister::default(); LENGTH],
        }
    }
}

impl ConfigRegisters {
    /// Defines the register at `offset`; outside of the space there is none.
    pub(crate) fn define(&mut self, offset: usize, register: Register) {
        let values = register.value.to_le_bytes();
        let masks = register.writable.to_le_bytes();
        let clears = register.clears.to_le_bytes();
        let rows = values.into_iter().zip(masks).zip(clears);
        for (byte, ((value, writable), clears)) in self.bytes.iter_mut().skip(offset).zip(rows) {
            *byte = ByteRegister {
                value,
                writable,
                clears,
            };
        }
    }

    /// Sets the value of one byte, whatever its bits allow to a write.
    pub(crate) fn set(&mut self, offset: usize, value: u8) {
        if let Some(byte) = self.bytes.get_mut(offset) {
            byte.value = value;
        }
    }

    /// The byte at `offset`; 0xff outside of the space.
    pub fn u8(&self, offset: usize) -> u8 {
        self.bytes.get(offset).map_or(0xff, |byte| byte.value)
    }

    /// The little-endian register at `offset`, which need not be aligned.
    pub fn u32(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        self.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// The bits of the byte at `offset` that a write can change.
    pub fn changeable(&self, offset: usize) -> u8 {
        let byte = self.bytes.get(offset);
        byte.map_or(0, |byte| byte.writable | byte.clears)
    }

    /// All of it, as a reader sees it.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.iter().map(|byte| byte.value).collect()
    }

    /// Reads from `offset` on.
    pub fn read(&self, offset: usize, data: &mut [u8]) {
        for (offset, byte) in (offset..).zip(data) {
            *byte = self.u8(offset);
        }
    }

    /// Writes from `offset` on, as far as each bit allows.
    pub fn write(&mut self, offset: usize, data: &[u8]) {
        for (byte, written) in self.bytes.iter_mut().skip(offset).zip(data) {
            byte.value = (byte.value & !byte.writable) | (written & byte.writable);
            byte.value &= !(written & byte.clears);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_of_bit_takes_a_write_in_its_own_way() {
        let mut config = ConfigRegisters::default();
        let register = Register::writable(0xf0f0_00aa, 0x0000_00ff).clears(0xf000_0000);
        config.define(0x40, register);
        config.write(0x40, &[0x55]);
        assert_eq!(config.u32(0x40), 0xf0f0_0055, "one byte alone is written");
        config.write(0x42, &[0xff, 0x30]);
        assert_eq!(
            config.u32(0x40),
            0xc0f0_0055,
            "ones clear, the rest is read-only"
        );
    }

    proptest! {
        #[test]
        fn any_access_stays_inside(offset in 0_usize..5000, data in prop::collection::vec(0_u8.., 0..64)) {
            let mut config = ConfigRegisters::default();
            config.write(offset, &data);
            let mut back = data.clone();
            config.read(offset, &mut back);
            prop_assert_eq!(config.bytes().len(), LENGTH);
        }
    }
}
