//! Which functions of a machine an IOMMU can tell apart: its PCI topology, the access control (ACS) of
//! every port, and the IOMMU groups that the Linux kernel makes of both. Pure: a
//! [`hardware::Machine`] in, values out.
//!
//! [`Predictor`] works the groups out by the kernel's own rule (see [`MODEL`]), also where no kernel made
//! any: with the IOMMU off, or from a printed listing. [`Override`] is `pcie_acs_override`, [`price`] what it
//! costs, [`Predictor::landings`] where a card would come to be in each other slot.
//!
//! What could not be read never isolates: the group is then the larger one, and says why it is not certain.

mod acs;
mod acs_override;
mod alias;
mod attachment;
mod difference;
mod grouping;
mod landing;
mod platform;
mod predictor;
mod price;
mod topology;
mod trial;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

pub use acs::{AcsService, AcsState, Basis, Isolation};
pub use acs_override::{Override, OverrideError, Term};
pub use attachment::Attachment;
pub use difference::{Difference, differences};
pub use landing::{Landing, Mover};
pub use platform::Platform;
pub use predictor::{Doubt, PredictedGroup, Prediction, Predictor, predict};
pub use price::{Declared, Price, Split, price, price_between};
pub use topology::{Above, Bus, Topology};
pub use trial::Part;

/// The kernel whose rules are modelled. `pci_device_group` and what it stands on are the same from 6.1 to
/// 6.12; the rewrite posted in 2025, which groups by the set of functions that can reach each other, is not
/// modelled.
pub const MODEL: &str = "Linux 6.12 (pci_device_group, unchanged since 6.1)";
