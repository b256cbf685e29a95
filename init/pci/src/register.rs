/// Declares a register as a newtype over its raw value, with one method for each flag (`name = bit`) and
/// one for each field (`name = lowest bit, width`). The raw value stays: nothing that a function said is
/// lost, and reserved bits compare.
macro_rules! register {
    (
        $(#[$doc:meta])* $name:ident: $repr:ty;
        flags { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal;)* }
        fields { $($(#[$field_doc:meta])* $field:ident = $low:literal, $width:literal;)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub $repr);

        impl $name {
            $(
                $(#[$flag_doc])*
                pub const fn $flag(self) -> bool {
                    (self.0 >> $bit) & 1 != 0
                }
            )*
            $(
                $(#[$field_doc])*
                pub const fn $field(self) -> $repr {
                    (self.0 >> $low) & (<$repr>::MAX >> (<$repr>::BITS - $width))
                }
            )*
        }
    };
}

pub(crate) use register;

use crate::ConfigSpace;

/// The registers of one capability, addressed from its first byte. Nothing is read past the end of the
/// space that the capability lies in: what follows a conventional capability at 0xfc is not extended space.
#[derive(Clone, Copy)]
pub(crate) struct Registers<'a> {
    space: &'a ConfigSpace,
    base: usize,
    end: usize,
}

impl<'a> Registers<'a> {
    pub(crate) fn new(space: &'a ConfigSpace, base: usize, end: usize) -> Self {
        Self { space, base, end }
    }

    pub(crate) fn space(&self) -> &'a ConfigSpace {
        self.space
    }

    fn at(&self, offset: usize, length: usize) -> Option<usize> {
        let start = self.base.checked_add(offset)?;
        (start.checked_add(length)? <= self.end).then_some(start)
    }

    pub(crate) fn u8(&self, offset: usize) -> Option<u8> {
        self.space.u8(self.at(offset, 1)?)
    }

    pub(crate) fn u16(&self, offset: usize) -> Option<u16> {
        self.space.u16(self.at(offset, 2)?)
    }

    pub(crate) fn u32(&self, offset: usize) -> Option<u32> {
        self.space.u32(self.at(offset, 4)?)
    }

    pub(crate) fn u64(&self, offset: usize) -> Option<u64> {
        let low = self.u32(offset)?;
        Some(u64::from(low) | u64::from(self.u32(offset + 4)?) << 32)
    }
}
