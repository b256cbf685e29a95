//! Capabilities with typed contents, a file each.

mod acs;
mod advanced_features;
mod aer;
mod ari;
mod ats;
mod dpc;
mod express;
mod l1_substates;
mod ltr;
mod msi;
mod msix;
mod page_request;
mod pasid;
mod power;
mod resizable_bar;
mod serial_number;
mod sriov;
mod vendor;
mod virtual_channel;

pub use acs::{Acs, AcsBits, EgressControl};
pub use advanced_features::AdvancedFeatures;
pub use aer::{
    AdvancedErrors, CorrectableErrors, ErrorCapabilities, RootErrorCommand, RootErrorStatus,
    RootErrors, UncorrectableErrors,
};
pub use ari::{Ari, AriCapability, AriControl};
pub use ats::{AddressTranslation, AtsCapability, AtsControl};
pub use dpc::{DownstreamContainment, DpcCapability, DpcControl, DpcStatus};
pub use express::{
    Device, Device2, DeviceCapabilities, DeviceCapabilities2, DeviceControl, DeviceControl2,
    DeviceStatus, Express, ExpressFlags, ExpressSlot, Link, Link2, LinkCapabilities,
    LinkCapabilities2, LinkControl, LinkControl2, LinkSpeed, LinkStatus, LinkStatus2, PortType,
    Root, RootCapabilities, RootControl, RootStatus, SlotCapabilities, SlotControl, SlotStatus,
};
pub use l1_substates::{L1Substates, L1SubstatesCapabilities, L1SubstatesControl, PowerOnTime};
pub use ltr::{LatencyTolerance, MaxLatency};
pub use msi::{Msi, MsiControl};
pub use msix::{MsiX, MsiXControl, TableLocation};
pub use page_request::{PageRequest, PageRequestControl, PageRequestStatus};
pub use pasid::{Pasid, PasidCapability, PasidControl};
pub use power::{PowerCapabilities, PowerControl, PowerManagement, PowerState};
pub use resizable_bar::{BarSizes, ResizableBar, ResizableBars};
pub use serial_number::SerialNumber;
pub use sriov::{SrIov, SrIovCapabilities, SrIovControl};
pub use vendor::{DesignatedVendorSpecific, VendorSpecific, VendorSpecificExtended};
pub use virtual_channel::{
    ChannelCapability, ChannelControl, ChannelResource, VirtualChannel, VirtualChannelCapability,
};
