use std::borrow::Cow;

use pci::{Acs, BridgeBuses, ConfigSpace, PortType};
use serde::{Deserialize, Serialize};

use crate::{Function, Reading};

/// Length of the conventional configuration space.
const CONVENTIONAL: usize = 256;

/// What a printed listing (`lspci -vvv` without hex) says of a function whose configuration space was not
/// printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Kind of PCI Express device or port; absent for conventional PCI.
    pub port_type: Reading<PortType>,
    /// Bus numbers of a bridge; absent on what is none.
    pub buses: Reading<BridgeBuses>,
    /// ACS registers; absent where the extended capabilities were printed without one.
    pub acs: Reading<Acs>,
}

impl Function {
    /// Kind of PCI Express device or port, from configuration space or else from the listing; absent for
    /// conventional PCI.
    pub fn port_type(&self) -> Reading<PortType> {
        self.register(
            |config| match config.port_type() {
                Some(kind) => Reading::Known(kind),
                None if config.is_gone() => gone(),
                None if config.bytes().len() >= CONVENTIONAL => Reading::Absent,
                None => Reading::Unknown(short(config)),
            },
            |listing| &listing.port_type,
        )
    }

    /// Bus numbers of a type 1 header, from configuration space or else from the listing; absent on other
    /// headers.
    pub fn bridge_buses(&self) -> Reading<BridgeBuses> {
        self.register(
            |config| match (config.bridge_buses(), config.header_type()) {
                _ if config.is_gone() => gone(),
                (Some(buses), _) => Reading::Known(buses),
                (None, Some(_)) => Reading::Absent,
                (None, None) => Reading::Unknown(short(config)),
            },
            |listing| &listing.buses,
        )
    }

    /// ACS registers, from configuration space or else from the listing. Unknown, not absent, where an
    /// Express function's extended space was not read.
    pub fn acs(&self) -> Reading<Acs> {
        self.register(
            |config| match config.acs() {
                _ if config.is_gone() => gone(),
                Some(Some(acs)) => Reading::Known(acs),
                Some(None) => Reading::Absent,
                None if config.bytes().len() >= CONVENTIONAL && config.port_type().is_none() => {
                    Reading::Absent
                }
                None => Reading::Unknown(short(config)),
            },
            |listing| &listing.acs,
        )
    }

    fn register<T: Clone>(
        &self,
        from_config: impl Fn(&ConfigSpace) -> Reading<T>,
        from_listing: impl Fn(&Listing) -> &Reading<T>,
    ) -> Reading<T> {
        match (&self.config, &self.listing) {
            // A dump of 256 bytes may stand beside words that say more.
            (Reading::Known(config), listing) => match (from_config(config), listing) {
                (Reading::Unknown(_), Reading::Known(listing)) => from_listing(listing).clone(),
                (reading, _) => reading,
            },
            (_, Reading::Known(listing)) => from_listing(listing).clone(),
            (Reading::Unknown(why), _) => Reading::Unknown(why.clone()),
            (Reading::Absent, _) => Reading::Unknown("the configuration space was not read".into()),
        }
    }
}

fn gone<T>() -> Reading<T> {
    Reading::Unknown("the function answers with all ones".into())
}

/// A machine has thousands of the usual lengths.
fn short(config: &ConfigSpace) -> Cow<'static, str> {
    match config.bytes().len() {
        64 => "only 64 bytes of the configuration space were read".into(),
        CONVENTIONAL => "only 256 bytes of the configuration space were read".into(),
        length => format!("only {length} bytes of the configuration space were read").into(),
    }
}
