//! The two lists of capabilities: walking them, naming what is in them, and what can be wrong with them.

mod find;
mod layout;
mod names;
mod problem;
mod walk;

pub use names::{CapabilityName, conventional, extended};
pub use problem::{List, Problem};
pub use walk::{Capabilities, Capability, ExtendedCapabilities, ExtendedCapability};
