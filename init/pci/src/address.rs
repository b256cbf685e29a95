use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hex;

/// Where a PCI function is: domain, bus, device, function. Written `0000:01:00.0`.
///
/// Domains can be larger than 16 bits (Intel VMD makes five-digit ones), so they are 32 bits wide.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Address {
    /// Segment group number of the ACPI specification; the kernel says domain.
    pub domain: u32,
    /// Bus number.
    pub bus: u8,
    /// Device number, 0 to 31.
    pub device: u8,
    /// Function number, 0 to 7.
    pub function: u8,
}

/// All functions of one device number: what a person plugs into one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Domain.
    pub domain: u32,
    /// Bus number.
    pub bus: u8,
    /// Device number.
    pub device: u8,
}

/// A text that is not a PCI address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a PCI address; write it like 0000:01:00.0 (or 01:00.0 in domain 0000)")]
pub struct AddressError(String);

impl Address {
    pub(crate) fn key(self) -> u64 {
        u64::from(self.domain) << 24
            | u64::from(self.bus) << 16
            | u64::from(self.device) << 8
            | u64::from(self.function)
    }

    /// The device number's place that this function shares with its siblings.
    pub fn slot(self) -> Slot {
        Slot {
            domain: self.domain,
            bus: self.bus,
            device: self.device,
        }
    }
}

/// By domain, bus, device and function, in one comparison: large machines compare addresses millions of times.
impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            device,
            function,
        } = *self;
        let (Ok(short), 0..=15) = (u16::try_from(domain), function) else {
            return write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}");
        };
        // A report holds tens of thousands of addresses, and the general way is ten times slower.
        let [first, second] = short.to_be_bytes();
        let mut text = *b"0000:00:00.0";
        for (place, byte) in [(0, first), (2, second), (5, bus), (8, device)] {
            hex::put(&mut text, place, byte);
        }
        if let Some(last) = text.last_mut() {
            *last = hex::digit(function);
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}:{:02x}:{:02x}",
            self.domain, self.bus, self.device
        )
    }
}

fn hex(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let well_formed =
        digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}

fn parse(text: &str) -> Option<Address> {
    let (bus_path, function) = text.split_once('.')?;
    let mut fields = bus_path.rsplit(':');
    let device = hex(fields.next()?, 1..=2)?;
    let bus = hex(fields.next()?, 1..=2)?;
    let domain = fields.next().map_or(Some(0), |field| hex(field, 1..=8))?;
    let function = hex(function, 1..=1)?;
    if fields.next().is_some() || device > 31 || function > 7 {
        return None;
    }
    Some(Address {
        domain,
        bus: u8::try_from(bus).ok()?,
        device: u8::try_from(device).ok()?,
        function: u8::try_from(function).ok()?,
    })
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| AddressError(text.to_owned()))
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_the_way_it_was_read() {
        for text in ["0000:01:00.0", "0000:ff:1f.7", "10000:e1:00.0"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_missing_domain_is_domain_zero() {
        assert_eq!(
            "1:2.3".parse::<Address>().unwrap().to_string(),
            "0000:01:02.3"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "0000:01:00",
            "0000:01:20.0",
            "0000:01:00.8",
            "0:0:0:0.0",
            "0000:+1:00.0",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
