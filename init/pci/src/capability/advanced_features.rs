use serde::{Deserialize, Serialize};

use crate::register::Registers;
use crate::{ConfigSpace, conventional};

/// Advanced Features of conventional PCI (Advanced Capabilities for Conventional PCI ECN, 2006).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvancedFeatures {
    /// The Transactions Pending bit is there (capabilities, bit 0).
    pub transactions_pending_supported: bool,
    /// The function can be reset alone (capabilities, bit 1).
    pub function_level_reset: bool,
    /// A reset is being asked for (control, bit 0).
    pub initiate_reset: bool,
    /// Requests wait for completion (status, bit 0).
    pub transactions_pending: bool,
}

impl AdvancedFeatures {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let capabilities = registers.u8(3)?;
        Some(Self {
            transactions_pending_supported: capabilities & 1 != 0,
            function_level_reset: capabilities & 2 != 0,
            initiate_reset: registers.u8(4)? & 1 != 0,
            transactions_pending: registers.u8(5)? & 1 != 0,
        })
    }
}

impl ConfigSpace {
    /// Advanced Features. Outer `None`: unknown. Inner `None`: there are none.
    pub fn advanced_features(&self) -> Option<Option<AdvancedFeatures>> {
        self.conventional(conventional::ADVANCED_FEATURES, AdvancedFeatures::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::conventional;

    #[test]
    fn a_conventional_function_can_have_function_level_reset() {
        let features = conventional(0x13, &[6, 0x03, 0, 0x01]).advanced_features();
        let features = features.unwrap().unwrap();
        assert!(features.function_level_reset && features.transactions_pending);
        assert!(!features.initiate_reset);
    }
}
