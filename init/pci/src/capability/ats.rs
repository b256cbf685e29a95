use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// Address Translation Services (10.5.1): the function asks the IOMMU for translations and keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressTranslation {
    /// What the function can do.
    pub capability: AtsCapability,
    /// What is switched on.
    pub control: AtsControl,
}

register! {
    /// ATS capability (10.5.1.2).
    AtsCapability: u16;
    flags {
        /// Untranslated addresses are aligned to pages.
        page_aligned = 5;
        /// Invalidations with the global flag are understood.
        global_invalidate = 6;
        /// Translation requests may be relaxed in order.
        relaxed_ordering = 7;
    }
    fields {
        /// Invalidations that can wait; 0 is 32.
        invalidate_queue_depth = 0, 5;
    }
}

register! {
    /// ATS control (10.5.1.3).
    AtsControl: u16;
    flags {
        /// The function may keep translations.
        enabled = 15;
    }
    fields {
        /// Smallest translation unit: 4096 bytes shifted left by this.
        smallest_unit = 0, 5;
    }
}

impl AddressTranslation {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capability: AtsCapability(registers.u16(4)?),
            control: AtsControl(registers.u16(6)?),
        })
    }
}

impl ConfigSpace {
    /// Address Translation Services. Outer `None`: unknown. Inner `None`: there are none.
    pub fn ats(&self) -> Option<Option<AddressTranslation>> {
        self.extended(
            extended::ADDRESS_TRANSLATION_SERVICES,
            AddressTranslation::read,
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn translation_is_on_or_off() {
        let ats = extended(0x0f, &[0x20, 0x00, 0x00, 0x80]).ats();
        let ats = ats.unwrap().unwrap();
        assert!(ats.control.enabled() && ats.capability.page_aligned());
    }
}
