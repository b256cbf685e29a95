use serde::{Deserialize, Serialize};

use crate::register::Registers;
use crate::{
    Acs, AddressTranslation, AdvancedErrors, AdvancedFeatures, Ari, Bar, BridgeBuses,
    BridgeControl, BridgeWindows, CardBus, ClassCode, ConfigSpace, DesignatedVendorSpecific,
    DownstreamContainment, EgressControl, Express, FunctionId, HeaderType, L1Substates,
    LatencyTolerance, List, Msi, MsiX, PageRequest, Pasid, PowerManagement, Problem, ResizableBars,
    SerialNumber, SrIov, VendorSpecific, VendorSpecificExtended, VirtualChannel, conventional,
    extended,
};

/// All that a configuration space says, as one value: every typed field of the header and of every
/// capability, in list order, and what is wrong with the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// The function does not answer: every byte of the header is 0xff, and nothing else here counts.
    pub gone: bool,
    /// The header.
    pub header: Header,
    /// The capabilities, conventional ones first.
    pub capabilities: Vec<Entry>,
    /// The extended space was read. When not, what it would say is unknown.
    pub extended_read: bool,
    /// What is wrong with the lists.
    pub problems: Vec<Problem>,
}

/// The header of a function. `None` is what its kind does not have, or what was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Vendor and device.
    pub id: Option<FunctionId>,
    /// Class code.
    pub class: Option<ClassCode>,
    /// Revision.
    pub revision: Option<u8>,
    /// Layout.
    pub kind: Option<HeaderType>,
    /// The device has more functions than one.
    pub multifunction: Option<bool>,
    /// Vendor and device of the board.
    pub subsystem: Option<FunctionId>,
    /// Base address registers.
    pub bars: Vec<Bar>,
    /// Bus numbers of a bridge.
    pub buses: Option<BridgeBuses>,
    /// Windows of a bridge.
    pub windows: Option<BridgeWindows>,
    /// Control register of a bridge.
    pub bridge_control: Option<BridgeControl>,
    /// The header of a CardBus bridge.
    pub cardbus: Option<CardBus>,
}

/// One capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The list that it is in.
    pub list: List,
    /// Its id in that list.
    pub id: u16,
    /// Its version; only in the extended list.
    pub version: Option<u8>,
    /// Its offset in bytes.
    pub offset: u16,
    /// What it says; `None` when it is cut short.
    pub contents: Option<Contents>,
}

impl Entry {
    /// Its name; `None` for an id that no specification assigns.
    pub fn name(&self) -> Option<&'static str> {
        match self.list {
            List::Conventional => conventional::name(u8::try_from(self.id).ok()?),
            List::Extended => extended::name(self.id),
        }
    }
}

macro_rules! contents {
    (
        conventional { $($conventional:ident: $conventional_type:ident,)* }
        extended { $($($extended:ident)|+: $variant:ident($extended_type:ty) = $read:expr,)* }
    ) => {
        /// What a capability says.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "registers", rename_all = "kebab-case")]
        #[allow(missing_docs)]
        pub enum Contents {
            $($conventional_type($conventional_type),)*
            $($variant($extended_type),)*
            /// A capability whose contents have no type here.
            Untyped,
        }

        fn conventional_contents(id: u8, registers: Registers<'_>) -> Option<Contents> {
            match id {
                $(conventional::$conventional => {
                    $conventional_type::read(registers).map(Contents::$conventional_type)
                })*
                _ => Some(Contents::Untyped),
            }
        }

        fn extended_contents(id: u16, registers: Registers<'_>) -> Option<Contents> {
            match id {
                $($(extended::$extended)|+ => ($read)(registers).map(Contents::$variant),)*
                _ => Some(Contents::Untyped),
            }
        }
    };
}

contents! {
    conventional {
        POWER_MANAGEMENT: PowerManagement,
        MSI: Msi,
        VENDOR_SPECIFIC: VendorSpecific,
        EXPRESS: Express,
        MSI_X: MsiX,
        ADVANCED_FEATURES: AdvancedFeatures,
    }
    extended {
        ADVANCED_ERROR_REPORTING: AdvancedErrors(AdvancedErrors) = AdvancedErrors::read,
        VIRTUAL_CHANNEL | VIRTUAL_CHANNEL_WITH_MFVC: VirtualChannel(VirtualChannel) = VirtualChannel::read,
        DEVICE_SERIAL_NUMBER: SerialNumber(SerialNumber) = SerialNumber::read,
        VENDOR_SPECIFIC: VendorSpecificExtended(VendorSpecificExtended) = VendorSpecificExtended::read,
        ACCESS_CONTROL_SERVICES: AccessControl((Acs, Option<EgressControl>)) = access_control,
        ALTERNATIVE_ROUTING_ID: Ari(Ari) = Ari::read,
        ADDRESS_TRANSLATION_SERVICES: AddressTranslation(AddressTranslation) = AddressTranslation::read,
        SINGLE_ROOT_IOV: SrIov(SrIov) = SrIov::read,
        PAGE_REQUEST: PageRequest(PageRequest) = PageRequest::read,
        RESIZABLE_BAR: ResizableBars(ResizableBars) = ResizableBars::read,
        LATENCY_TOLERANCE_REPORTING: LatencyTolerance(LatencyTolerance) = LatencyTolerance::read,
        PROCESS_ADDRESS_SPACE_ID: Pasid(Pasid) = Pasid::read,
        DOWNSTREAM_PORT_CONTAINMENT: DownstreamContainment(DownstreamContainment) = DownstreamContainment::read,
        L1_PM_SUBSTATES: L1Substates(L1Substates) = L1Substates::read,
        DESIGNATED_VENDOR_SPECIFIC: DesignatedVendorSpecific(DesignatedVendorSpecific) = DesignatedVendorSpecific::read,
        VF_RESIZABLE_BAR: VfResizableBars(ResizableBars) = ResizableBars::read,
    }
}

fn access_control(registers: Registers<'_>) -> Option<(Acs, Option<EgressControl>)> {
    Some((Acs::read(registers)?, EgressControl::read(registers)?))
}

impl Decoded {
    /// Reads everything. Takes any bytes, and time linear in the capabilities that there are.
    pub fn of(space: &ConfigSpace) -> Self {
        let conventional = space.walk().flatten().map(|capability| Entry {
            list: List::Conventional,
            id: u16::from(capability.id),
            version: None,
            offset: short(capability.offset),
            contents: conventional_contents(capability.id, space.registers_of(capability)),
        });
        let walk = space.walk_extended();
        let extended_read = walk.is_some();
        let extended = walk
            .into_iter()
            .flatten()
            .flatten()
            .map(|capability| Entry {
                list: List::Extended,
                id: capability.id,
                version: Some(capability.version),
                offset: short(capability.offset),
                contents: extended_contents(capability.id, space.extended_registers_of(capability)),
            });
        Self {
            gone: space.is_gone(),
            header: Header::of(space),
            capabilities: conventional.chain(extended).collect(),
            extended_read,
            problems: space.problems(),
        }
    }
}

impl Header {
    fn of(space: &ConfigSpace) -> Self {
        Self {
            id: space.id(),
            class: space.class(),
            revision: space.revision(),
            kind: space.header_type(),
            multifunction: space.is_multifunction(),
            subsystem: space.subsystem().flatten(),
            bars: space.bars(),
            buses: space.bridge_buses(),
            windows: space.bridge_windows(),
            bridge_control: space.bridge_control(),
            cardbus: space.cardbus(),
        }
    }
}

fn short(offset: usize) -> u16 {
    u16::try_from(offset).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::space;

    #[test]
    fn everything_is_there_in_list_order() {
        let config = space(
            4096,
            &[
                (0x06, &[0x10]),
                (0x34, &[0x50]),
                (0x40, &[0x11, 0]),
                (0x50, &[0x01, 0x40]),
                (0x100, &[0x0d, 0, 0x01, 0x20]),
                (0x200, &[0x99, 0, 0x03, 0xff]),
                (0xff0, &[0x10, 0, 0x01, 0x00]),
            ],
        );
        let decoded = Decoded::of(&config);
        let entries: Vec<_> = decoded
            .capabilities
            .iter()
            .map(|entry| (entry.offset, entry.name(), entry.contents.is_some()))
            .collect();
        assert_eq!(
            entries,
            [
                (0x50, Some("Power Management"), true),
                (0x40, Some("MSI-X"), true),
                (0x100, Some("Access Control Services"), true),
                (0x200, None, true),
                (0xff0, Some("Single Root I/O Virtualization"), false),
            ]
        );
        assert!(decoded.extended_read && !decoded.gone);
        assert_eq!(
            decoded.problems,
            [Problem::Incomplete {
                at: 0xff0,
                length: 0x40
            }]
        );
    }
}
