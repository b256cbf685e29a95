use std::fmt;

use serde::{Deserialize, Serialize};

use crate::register::Registers;
use crate::{ConfigSpace, extended};

/// Device Serial Number (7.9.3), an EUI-64. It names one piece of hardware: reports leave it out unless
/// they were asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialNumber(pub u64);

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0.to_be_bytes();
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, "-{byte:02x}"))
    }
}

impl SerialNumber {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        registers.u64(4).map(Self)
    }
}

impl ConfigSpace {
    /// Device Serial Number. Outer `None`: unknown. Inner `None`: there is none.
    pub fn serial_number(&self) -> Option<Option<SerialNumber>> {
        self.extended(extended::DEVICE_SERIAL_NUMBER, SerialNumber::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn a_serial_number_is_written_highest_byte_first() {
        let config = extended(0x03, &[0xe0, 0x46, 0x2b, 0xff, 0xff, 0x21, 0x1b, 0x00]);
        let number = config.serial_number().unwrap().unwrap();
        assert_eq!(number.to_string(), "00-1b-21-ff-ff-2b-46-e0");
    }
}
