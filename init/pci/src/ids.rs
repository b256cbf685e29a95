use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hex;

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub u16);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:04x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.strip_prefix("0x").unwrap_or(text);
                if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(IdError(text.to_owned()));
                }
                u16::from_str_radix(digits, 16).map($name).map_err(|_| IdError(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

hex_id! {
    /// Vendor id as assigned by the PCI-SIG, written as four hex digits.
    VendorId
}
hex_id! {
    /// Device id, meaningful together with its vendor, written as four hex digits.
    DeviceId
}

/// A text that is not a PCI id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a PCI id; write four hex digits (two ids as 10de:0fc6)")]
pub struct IdError(pub(crate) String);

/// Vendor and device id of a function, or of its subsystem. Written `10de:0fc6`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FunctionId {
    /// Vendor.
    pub vendor: VendorId,
    /// Device.
    pub device: DeviceId,
}

impl FunctionId {
    /// Puts the two ids together.
    pub const fn new(vendor: u16, device: u16) -> Self {
        Self {
            vendor: VendorId(vendor),
            device: DeviceId(device),
        }
    }
}

impl fmt::Display for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"0000:0000";
        let (vendor, device) = (self.vendor.0.to_be_bytes(), self.device.0.to_be_bytes());
        let bytes = vendor.into_iter().chain(device);
        for (place, byte) in [0, 2, 5, 7].into_iter().zip(bytes) {
            hex::put(&mut text, place, byte);
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for FunctionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (vendor, device) = text
            .split_once(':')
            .ok_or_else(|| IdError(text.to_owned()))?;
        Ok(Self {
            vendor: vendor.parse()?,
            device: device.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_four_lower_case_hex_digits() {
        assert_eq!(
            "10DE:0fc6".parse::<FunctionId>().unwrap().to_string(),
            "10de:0fc6"
        );
        assert_eq!("0x8086".parse::<VendorId>().unwrap(), VendorId(0x8086));
        for text in ["10de", "10de:fc6", "10de:0fc6:1", "+0de:0fc6"] {
            assert!(text.parse::<FunctionId>().is_err(), "{text}");
        }
    }
}
