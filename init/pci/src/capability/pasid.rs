use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// Process Address Space ID (7.8.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pasid {
    /// What the function can do.
    pub capability: PasidCapability,
    /// What is switched on.
    pub control: PasidControl,
}

register! {
    /// PASID capability (7.8.8.2).
    PasidCapability: u16;
    flags {
        /// Requests can ask to execute.
        execute = 1;
        /// Requests can be privileged.
        privileged = 2;
    }
    fields {
        /// Bits of an id that the function can use, 0 to 20.
        width = 8, 5;
    }
}

register! {
    /// PASID control (7.8.8.3).
    PasidControl: u16;
    flags {
        /// Requests may carry an id.
        enabled = 0;
        /// Requests may ask to execute.
        execute = 1;
        /// Requests may be privileged.
        privileged = 2;
    }
    fields {}
}

impl Pasid {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capability: PasidCapability(registers.u16(4)?),
            control: PasidControl(registers.u16(6)?),
        })
    }
}

impl ConfigSpace {
    /// Process Address Space ID. Outer `None`: unknown. Inner `None`: there is none.
    pub fn pasid(&self) -> Option<Option<Pasid>> {
        self.extended(extended::PROCESS_ADDRESS_SPACE_ID, Pasid::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn an_id_has_a_width() {
        let pasid = extended(0x1b, &[0x02, 0x14, 0x03, 0]).pasid();
        let pasid = pasid.unwrap().unwrap();
        assert_eq!(pasid.capability.width(), 20);
        assert!(pasid.capability.execute() && !pasid.capability.privileged());
        assert!(pasid.control.enabled());
    }
}
