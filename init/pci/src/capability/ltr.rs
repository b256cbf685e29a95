use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// Latency Tolerance Reporting (7.8.2): what the platform lets a device ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyTolerance {
    /// Longest latency for snooped requests.
    pub max_snoop: MaxLatency,
    /// Longest latency for requests that are not snooped.
    pub max_no_snoop: MaxLatency,
}

register! {
    /// A latency (7.8.2.2).
    MaxLatency: u16;
    flags {}
    fields {
        /// Value, in units of the scale.
        value = 0, 10;
        /// Nanoseconds shifted left by five times this, 5 at most.
        scale = 10, 3;
    }
}

impl MaxLatency {
    /// The latency in nanoseconds; `None` for a scale that is not permitted.
    pub fn nanoseconds(self) -> Option<u64> {
        let scale = self.scale();
        (scale <= 5).then(|| u64::from(self.value()) << (5 * scale))
    }
}

impl LatencyTolerance {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            max_snoop: MaxLatency(registers.u16(4)?),
            max_no_snoop: MaxLatency(registers.u16(6)?),
        })
    }
}

impl ConfigSpace {
    /// Latency Tolerance Reporting. Outer `None`: unknown. Inner `None`: there is none.
    pub fn latency_tolerance(&self) -> Option<Option<LatencyTolerance>> {
        self.extended(
            extended::LATENCY_TOLERANCE_REPORTING,
            LatencyTolerance::read,
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn a_latency_is_a_value_times_its_scale() {
        let config = extended(0x18, &[0x03, 0x10, 0x01, 0x18]);
        let ltr = config.latency_tolerance().unwrap().unwrap();
        assert_eq!(ltr.max_snoop.nanoseconds(), Some(3 << 20));
        assert_eq!(ltr.max_no_snoop.nanoseconds(), None);
    }
}
