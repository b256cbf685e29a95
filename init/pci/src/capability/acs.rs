use serde::{Deserialize, Serialize};

use crate::register::Registers;
use crate::{ConfigSpace, extended};

/// Access Control Services capability and control registers (7.7.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acs {
    /// What the function can do.
    pub capability: AcsBits,
    /// What is switched on. The kernel sets it only when the IOMMU is on: with it off this is what
    /// firmware left behind and says nothing.
    pub control: AcsBits,
}

/// The ACS bits, in the order of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcsBits(pub u16);

impl AcsBits {
    /// Source Validation.
    pub const SV: u16 = 1 << 0;
    /// Translation Blocking.
    pub const TB: u16 = 1 << 1;
    /// P2P Request Redirect.
    pub const RR: u16 = 1 << 2;
    /// P2P Completion Redirect.
    pub const CR: u16 = 1 << 3;
    /// Upstream Forwarding.
    pub const UF: u16 = 1 << 4;
    /// P2P Egress Control.
    pub const EC: u16 = 1 << 5;
    /// Direct Translated P2P.
    pub const DT: u16 = 1 << 6;
    /// The four bits that the kernel asks of every port on the way up (`REQ_ACS_FLAGS`).
    pub const ISOLATING: u16 = Self::SV | Self::RR | Self::CR | Self::UF;

    /// Whether all bits of `mask` are set.
    pub const fn has(self, mask: u16) -> bool {
        self.0 & mask == mask
    }

    /// Bits in the egress control vector (capability register, 15:8, where 0 is 256); `None` without
    /// egress control. Of the capability only: the control register has other bits there.
    pub const fn egress_vector_size(self) -> Option<u16> {
        match (self.has(Self::EC), self.0 >> 8) {
            (false, _) => None,
            (true, 0) => Some(256),
            (true, size) => Some(size),
        }
    }
}

/// Egress control vector (7.7.8.4): requests to a port (or function) whose bit is set are blocked or
/// redirected when egress control is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressControl {
    /// Bits that count, 1 to 256.
    pub size: u16,
    /// The vector, lowest bits first.
    pub words: Vec<u32>,
}

impl EgressControl {
    /// Whether peer-to-peer requests to this port number (or function) are controlled; `None` past the
    /// vector's end.
    pub fn controls(&self, port: u8) -> Option<bool> {
        if u16::from(port) >= self.size {
            return None;
        }
        let word = self.words.get(usize::from(port / 32))?;
        Some((word >> (port % 32)) & 1 != 0)
    }
}

impl Acs {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            capability: AcsBits(registers.u16(4)?),
            control: AcsBits(registers.u16(6)?),
        })
    }
}

impl EgressControl {
    /// Inner `None`: the capability is without egress control.
    pub(crate) fn read(registers: Registers<'_>) -> Option<Option<Self>> {
        let Some(size) = AcsBits(registers.u16(4)?).egress_vector_size() else {
            return Some(None);
        };
        let words = (0..usize::from(size).div_ceil(32))
            .map(|word| registers.u32(8 + word * 4))
            .collect::<Option<_>>()?;
        Some(Some(Self { size, words }))
    }
}

impl ConfigSpace {
    /// The ACS registers. Outer `None`: the extended space was not read, so this is unknown. Inner
    /// `None`: it was read and has no ACS capability.
    pub fn acs(&self) -> Option<Option<Acs>> {
        self.extended(extended::ACCESS_CONTROL_SERVICES, Acs::read)
    }

    /// The ACS egress control vector. Outer `None`: unknown. Inner `None`: there is no ACS capability, or
    /// it is without egress control.
    pub fn acs_egress(&self) -> Option<Option<EgressControl>> {
        let found = self.extended(extended::ACCESS_CONTROL_SERVICES, EgressControl::read)?;
        Some(found.flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{extended, space};

    #[test]
    fn the_bits_of_capability_and_control_are_told_apart() {
        let config = extended(0x0d, &[0x1d, 0x00, 0x05, 0x00]);
        let acs = config.acs().unwrap().unwrap();
        assert!(acs.capability.has(AcsBits::ISOLATING));
        assert!(!acs.control.has(AcsBits::ISOLATING) && acs.control.has(AcsBits::RR));
        assert_eq!(config.acs_egress(), Some(None));
    }

    #[test]
    fn acs_is_unknown_in_256_bytes_and_absent_in_4096() {
        assert_eq!(space(256, &[]).acs(), None);
        assert_eq!(space(4096, &[]).acs(), Some(None));
    }

    #[test]
    fn an_egress_vector_says_which_ports_it_controls() {
        let config = extended(0x0d, &[0x20, 0x22, 0, 0, 0x01, 0, 0, 0x80, 0x02, 0, 0, 0]);
        let egress = config.acs_egress().unwrap().unwrap();
        assert_eq!((egress.size, egress.words.len()), (34, 2));
        let controlled = [0, 1, 31, 32, 33, 34].map(|port| egress.controls(port));
        assert_eq!(
            controlled,
            [
                Some(true),
                Some(false),
                Some(true),
                Some(false),
                Some(true),
                None
            ]
        );
    }

    #[test]
    fn a_vector_size_of_zero_is_256_bits() {
        let egress = extended(0x0d, &[0x20, 0x00]).acs_egress().unwrap().unwrap();
        assert_eq!((egress.size, egress.words.len()), (256, 8));
        assert_eq!(egress.controls(255), Some(false));
    }
}
