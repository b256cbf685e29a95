use serde::{Deserialize, Serialize};

/// Length of the conventional configuration space: all that an unprivileged read or a 256-byte dump has.
const CONVENTIONAL: usize = 256;
/// Extended capabilities take at least 8 bytes each, so no honest list has more entries than this.
const MAX_EXTENDED: usize = (4096 - CONVENTIONAL) / 8;
/// Conventional capabilities take at least 4 bytes each (Linux uses the same bound, `PCI_FIND_CAP_TTL`).
const MAX_CONVENTIONAL: usize = 48;

const CAP_EXPRESS: u8 = 0x10;
const EXT_ACS: u16 = 0x000d;

/// A function's configuration space as it was read: 64 bytes for an unprivileged reader, 256 without
/// the extended part, 4096 with it (PCI Express Base specification, 7.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigSpace(Vec<u8>);

/// Layout of the header from offset 0x10 on (header type register, bits 6:0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderType {
    /// Type 0: an endpoint.
    Endpoint,
    /// Type 1: a PCI-to-PCI bridge, root ports and switch ports included.
    Bridge,
    /// Type 2: a CardBus bridge.
    CardBus,
    /// A value that no specification assigns.
    Other(u8),
}

/// Bus numbers of a type 1 header (offsets 0x18 to 0x1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeBuses {
    /// Bus the bridge itself is on.
    pub primary: u8,
    /// Bus directly behind it.
    pub secondary: u8,
    /// Highest bus number behind it.
    pub subordinate: u8,
}

/// One entry of the conventional capability list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Capability id.
    pub id: u8,
    /// Offset in bytes.
    pub offset: usize,
}

/// One entry of the extended capability list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedCapability {
    /// Capability id.
    pub id: u16,
    /// Version, 4 bits.
    pub version: u8,
    /// Offset in bytes.
    pub offset: usize,
}

/// Device/port type of the PCI Express capability (7.5.3.2, bits 7:4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortType {
    /// 0: endpoint.
    Endpoint,
    /// 1: legacy endpoint.
    LegacyEndpoint,
    /// 4: root port.
    RootPort,
    /// 5: upstream port of a switch.
    UpstreamPort,
    /// 6: downstream port of a switch.
    DownstreamPort,
    /// 7: PCI Express to PCI bridge.
    PcieToPciBridge,
    /// 8: PCI to PCI Express bridge.
    PciToPcieBridge,
    /// 9: root complex integrated endpoint.
    RootComplexEndpoint,
    /// 10: root complex event collector.
    EventCollector,
    /// A value that no specification assigns.
    Other(u8),
}

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
    /// P2P Request Redirect.
    pub const RR: u16 = 1 << 2;
    /// P2P Completion Redirect.
    pub const CR: u16 = 1 << 3;
    /// Upstream Forwarding.
    pub const UF: u16 = 1 << 4;
    /// The four bits that the kernel asks of every port on the way up (`REQ_ACS_FLAGS`).
    pub const ISOLATING: u16 = Self::SV | Self::RR | Self::CR | Self::UF;

    /// Whether all bits of `mask` are set.
    pub const fn has(self, mask: u16) -> bool {
        self.0 & mask == mask
    }
}

impl ConfigSpace {
    /// Takes at most 4096 bytes; more is not configuration space and is cut.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(4096);
        Self(bytes)
    }

    /// The bytes as read.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A function that answers with all ones is powered down, gone, or hidden.
    pub fn is_gone(&self) -> bool {
        self.0.len() >= 4 && self.0.iter().take(64).all(|byte| *byte == 0xff)
    }

    /// The byte at `offset`, if it was read.
    pub fn u8(&self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    /// The little-endian 16-bit register at `offset`, if all of it was read.
    pub fn u16(&self, offset: usize) -> Option<u16> {
        let bytes = self.0.get(offset..offset.checked_add(2)?)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The little-endian 32-bit register at `offset`, if all of it was read.
    pub fn u32(&self, offset: usize) -> Option<u32> {
        let bytes = self.0.get(offset..offset.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Header layout.
    pub fn header_type(&self) -> Option<HeaderType> {
        Some(match self.u8(0x0e)? & 0x7f {
            0 => HeaderType::Endpoint,
            1 => HeaderType::Bridge,
            2 => HeaderType::CardBus,
            other => HeaderType::Other(other),
        })
    }

    /// Header type register, bit 7: the device has more functions than one.
    pub fn is_multifunction(&self) -> Option<bool> {
        self.u8(0x0e).map(|byte| byte & 0x80 != 0)
    }

    /// Command register: memory space decode is on (bit 1).
    pub fn decodes_memory(&self) -> Option<bool> {
        self.u16(0x04).map(|command| command & 0x0002 != 0)
    }

    /// Bus numbers, for a type 1 header.
    pub fn bridge_buses(&self) -> Option<BridgeBuses> {
        if self.header_type()? != HeaderType::Bridge {
            return None;
        }
        Some(BridgeBuses {
            primary: self.u8(0x18)?,
            secondary: self.u8(0x19)?,
            subordinate: self.u8(0x1a)?,
        })
    }

    /// The conventional capabilities in list order. Stops at the first pointer that leads outside what
    /// was read, into the header, or back.
    pub fn capabilities(&self) -> Vec<Capability> {
        let mut found = Vec::new();
        let has_list = self.u16(0x06).is_some_and(|status| status & 0x0010 != 0);
        if !has_list || self.is_gone() {
            return found;
        }
        let mut next = self.u8(0x34).unwrap_or(0);
        while found.len() < MAX_CONVENTIONAL {
            let offset = usize::from(next & 0xfc);
            if offset < 0x40
                || found
                    .iter()
                    .any(|known: &Capability| known.offset == offset)
            {
                break;
            }
            let (Some(id), Some(following)) = (self.u8(offset), self.u8(offset + 1)) else {
                break;
            };
            if id == 0xff {
                break;
            }
            found.push(Capability { id, offset });
            next = following;
        }
        found
    }

    /// The extended capabilities in list order, or `None` when the extended space was not read: then
    /// what is there is unknown, not absent.
    pub fn extended_capabilities(&self) -> Option<Vec<ExtendedCapability>> {
        if self.0.len() <= CONVENTIONAL {
            return None;
        }
        let mut found = Vec::new();
        let mut offset = CONVENTIONAL;
        while found.len() < MAX_EXTENDED {
            let Some(header) = self.u32(offset) else {
                break;
            };
            if header == 0 || header == u32::MAX {
                break;
            }
            let [id_low, id_high, version, _] = header.to_le_bytes();
            found.push(ExtendedCapability {
                id: u16::from_le_bytes([id_low, id_high]),
                version: version & 0x0f,
                offset,
            });
            offset = usize::from(u16::try_from(header >> 20).unwrap_or(0) & 0xffc);
            if offset < CONVENTIONAL || found.iter().any(|known| known.offset == offset) {
                break;
            }
        }
        Some(found)
    }

    /// Offset of the PCI Express capability.
    fn express(&self) -> Option<usize> {
        self.capabilities()
            .iter()
            .find(|cap| cap.id == CAP_EXPRESS)
            .map(|cap| cap.offset)
    }

    /// Kind of PCI Express device or port; `None` for conventional PCI or when it was not read.
    pub fn port_type(&self) -> Option<PortType> {
        let flags = self.u16(self.express()? + 2)?;
        Some(match (flags >> 4) & 0x0f {
            0 => PortType::Endpoint,
            1 => PortType::LegacyEndpoint,
            4 => PortType::RootPort,
            5 => PortType::UpstreamPort,
            6 => PortType::DownstreamPort,
            7 => PortType::PcieToPciBridge,
            8 => PortType::PciToPcieBridge,
            9 => PortType::RootComplexEndpoint,
            10 => PortType::EventCollector,
            other => PortType::Other(u8::try_from(other).unwrap_or(0xff)),
        })
    }

    /// Physical slot number of a port whose slot is implemented (7.5.3.9, bits 31:19).
    pub fn slot_number(&self) -> Option<u16> {
        let express = self.express()?;
        let implemented = self.u16(express + 2)? & 0x0100 != 0;
        let number = u16::try_from(self.u32(express + 0x14)? >> 19).ok()?;
        implemented.then_some(number)
    }

    /// The ACS registers. Outer `None`: the extended space was not read, so this is unknown. Inner
    /// `None`: it was read and has no ACS capability.
    pub fn acs(&self) -> Option<Option<Acs>> {
        let list = self.extended_capabilities()?;
        let Some(entry) = list.iter().find(|cap| cap.id == EXT_ACS) else {
            return Some(None);
        };
        let capability = AcsBits(self.u16(entry.offset + 4)?);
        let control = AcsBits(self.u16(entry.offset + 6)?);
        Some(Some(Acs {
            capability,
            control,
        }))
    }
}

impl std::fmt::Debug for ConfigSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigSpace({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(length: usize, writes: &[(usize, &[u8])]) -> ConfigSpace {
        let mut bytes = vec![0; length];
        for (offset, data) in writes {
            bytes[*offset..offset + data.len()].copy_from_slice(data);
        }
        ConfigSpace::new(bytes)
    }

    #[test]
    fn a_capability_list_that_loops_ends() {
        let config = space(
            256,
            &[
                (0x06, &[0x10]),
                (0x34, &[0x40]),
                (0x40, &[0x01, 0x50]),
                (0x50, &[0x05, 0x40]),
            ],
        );
        let ids: Vec<u8> = config.capabilities().iter().map(|cap| cap.id).collect();
        assert_eq!(ids, [0x01, 0x05]);
    }

    #[test]
    fn a_root_port_names_its_type_slot_and_acs() {
        let config = space(
            4096,
            &[
                (0x06, &[0x10]),
                (0x0e, &[0x81]),
                (0x18, &[0, 1, 3]),
                (0x34, &[0x54]),
                (0x54, &[0x10, 0, 0x42, 0x01]),
                (0x54 + 0x14, &(7_u32 << 19).to_le_bytes()),
                (0x100, &[0x0d, 0x00, 0x01, 0x00, 0x1d, 0x00, 0x05, 0x00]),
            ],
        );
        assert_eq!(config.port_type(), Some(PortType::RootPort));
        assert_eq!(config.slot_number(), Some(7));
        assert_eq!(
            config.bridge_buses(),
            Some(BridgeBuses {
                primary: 0,
                secondary: 1,
                subordinate: 3
            })
        );
        let acs = config.acs().unwrap().unwrap();
        assert!(acs.capability.has(AcsBits::ISOLATING));
        assert!(!acs.control.has(AcsBits::ISOLATING) && acs.control.has(AcsBits::RR));
    }

    #[test]
    fn acs_is_unknown_in_256_bytes_and_absent_in_4096() {
        assert_eq!(space(256, &[]).acs(), None);
        assert_eq!(space(4096, &[]).acs(), Some(None));
    }

    #[test]
    fn a_function_of_all_ones_has_no_capabilities() {
        let config = ConfigSpace::new(vec![0xff; 4096]);
        assert!(config.is_gone());
        assert!(config.capabilities().is_empty());
        assert_eq!(config.extended_capabilities(), Some(vec![]));
    }
}
