use serde::{Deserialize, Serialize};

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

impl PortType {
    pub(super) fn from_bits(bits: u16) -> Self {
        match bits {
            0 => Self::Endpoint,
            1 => Self::LegacyEndpoint,
            4 => Self::RootPort,
            5 => Self::UpstreamPort,
            6 => Self::DownstreamPort,
            7 => Self::PcieToPciBridge,
            8 => Self::PciToPcieBridge,
            9 => Self::RootComplexEndpoint,
            10 => Self::EventCollector,
            other => Self::Other(u8::try_from(other).unwrap_or(0xff)),
        }
    }

    /// Whether it has link registers: what is integrated into the root complex has no link.
    pub const fn has_link(self) -> bool {
        !matches!(
            self,
            Self::RootComplexEndpoint | Self::EventCollector | Self::Other(_)
        )
    }

    /// Whether it can have a slot below.
    pub const fn has_slot(self) -> bool {
        matches!(
            self,
            Self::RootPort | Self::DownstreamPort | Self::PciToPcieBridge
        )
    }

    /// Whether it has root registers.
    pub const fn has_root(self) -> bool {
        matches!(self, Self::RootPort | Self::EventCollector)
    }
}
