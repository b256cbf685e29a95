use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// Alternative Routing-ID Interpretation (7.8.7): device and function number are one number of 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ari {
    /// What the function can do.
    pub capability: AriCapability,
    /// What is switched on.
    pub control: AriControl,
}

register! {
    /// ARI capability (7.8.7.2).
    AriCapability: u16;
    flags {
        /// Function groups can have virtual channels of their own.
        mfvc_groups = 0;
        /// Function groups can have egress control of their own.
        acs_groups = 1;
    }
    fields {
        /// The next function, 0 to 255; 0 ends the list.
        next_function = 8, 8;
    }
}

register! {
    /// ARI control (7.8.7.3).
    AriControl: u16;
    flags {
        /// Function groups have virtual channels of their own.
        mfvc_groups = 0;
        /// Function groups have egress control of their own.
        acs_groups = 1;
    }
    fields {
        /// Group of this function.
        function_group = 4, 3;
    }
}

impl Ari {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capability: AriCapability(registers.u16(4)?),
            control: AriControl(registers.u16(6)?),
        })
    }
}

impl ConfigSpace {
    /// Alternative Routing-ID Interpretation. Outer `None`: unknown. Inner `None`: there is none.
    pub fn ari(&self) -> Option<Option<Ari>> {
        self.extended(extended::ALTERNATIVE_ROUTING_ID, Ari::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn a_function_names_the_next_one() {
        let ari = extended(0x0e, &[0x02, 0x0c, 0x30, 0x00]).ari();
        let ari = ari.unwrap().unwrap();
        assert_eq!(ari.capability.next_function(), 12);
        assert!(ari.capability.acs_groups() && !ari.capability.mfvc_groups());
        assert_eq!(ari.control.function_group(), 3);
    }
}
