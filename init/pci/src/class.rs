use std::fmt;

use serde::{Deserialize, Serialize};

/// Class code: base class, subclass and programming interface (PCI Code and ID Assignment
/// specification, 1.). Written as six hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ClassCode(pub u32);

impl ClassCode {
    /// Base class, the topmost byte.
    pub const fn base(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// Subclass, the middle byte.
    pub const fn sub(self) -> u8 {
        self.0.to_be_bytes()[2]
    }

    /// Programming interface, the lowest byte.
    pub const fn interface(self) -> u8 {
        self.0.to_be_bytes()[3]
    }

    /// A display controller: the VGA device of old (00.01) or base class 03.
    pub const fn is_display(self) -> bool {
        self.base() == 0x03 || (self.base() == 0x00 && self.sub() == 0x01)
    }

    /// A VGA-compatible controller, the only kind that can be the boot VGA.
    pub const fn is_vga(self) -> bool {
        (self.base() == 0x03 && self.sub() == 0x00) || (self.base() == 0x00 && self.sub() == 0x01)
    }

    /// Any bridge (base class 06), host bridges included.
    pub const fn is_bridge(self) -> bool {
        self.base() == 0x06
    }

    /// A PCI-to-PCI bridge, root and switch ports included.
    pub const fn is_pci_bridge(self) -> bool {
        self.base() == 0x06 && self.sub() == 0x04
    }

    /// A mass storage controller (base class 01).
    pub const fn is_storage(self) -> bool {
        self.base() == 0x01
    }

    /// A network controller (base class 02).
    pub const fn is_network(self) -> bool {
        self.base() == 0x02
    }

    /// An audio or HD audio function, which graphics cards carry as function 1.
    pub const fn is_audio(self) -> bool {
        self.base() == 0x04
    }

    /// A USB host controller (0C.03).
    pub const fn is_usb(self) -> bool {
        self.base() == 0x0c && self.sub() == 0x03
    }
}

impl fmt::Display for ClassCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0 & 0x00ff_ffff)
    }
}

impl fmt::Debug for ClassCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<ClassCode> for String {
    fn from(class: ClassCode) -> Self {
        class.to_string()
    }
}

impl TryFrom<String> for ClassCode {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u32::from_str_radix(text.strip_prefix("0x").unwrap_or(&text), 16).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_code_is_told_by_its_bytes() {
        let vga = ClassCode(0x03_00_00);
        assert!(vga.is_display() && vga.is_vga() && !vga.is_bridge());
        assert!(ClassCode(0x03_02_00).is_display() && !ClassCode(0x03_02_00).is_vga());
        assert!(ClassCode(0x06_04_00).is_pci_bridge() && ClassCode(0x06_00_00).is_bridge());
        assert!(ClassCode(0x0c_03_30).is_usb() && ClassCode(0x01_08_02).is_storage());
        assert_eq!(vga.to_string(), "030000");
    }
}
