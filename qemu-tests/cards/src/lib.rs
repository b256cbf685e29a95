//! PCI cards in software: a card is described as a value, served over vfio-user, and given to QEMU,
//! where a real kernel finds it. Everything that is done to it is logged.
//!
//! ```no_run
//! # fn main() -> Result<(), cards::CardError> {
//! let card = cards::profiles::nvidia_gtx650().start("card".as_ref())?;
//! for device in card.devices("gpu", "port1", 0) {
//!     println!("-device '{device}'");
//! }
//! assert!(!card.log().entries().iter().any(cards::Entry::is_bar_access));
//! # Ok(())
//! # }
//! ```

mod amd;
mod bar;
mod capability;
mod card;
mod config;
mod device;
mod error;
mod extended;
mod function;
mod layout;
mod log;
mod nvidia;
pub mod profiles;
mod regions;
mod register_model;
mod rom;
mod running;

pub use amd::Amd;
pub use bar::{Bar, BarKind};
pub use capability::{Capability, Express, Link};
pub use card::CardProfile;
pub use config::{ConfigRegisters, Register};
pub use error::{CardError, ProfileError};
pub use extended::ExtendedCapability;
pub use function::Function;
pub use log::{AccessLog, Entry, Region, Span, Touch};
pub use nvidia::Nvidia;
pub use register_model::{Inside, RegisterModel, Scratch};
pub use rom::{Flash, Rom, RomFault};
pub use running::{RunningCard, RunningFunction};
