//! The installed system's own programs, run in its root while that lies on overlays: what they write is seen
//! before any disk is.
//!
//! A program gets the root as its file system, namespaces of its own for processes, mounts, network and host
//! name, a /dev with nothing but the devices that it is given, and no firmware variables: it reaches no disk, no
//! network and no process of the machine that it runs on. Nothing of it is left when it ends.

mod devices;
mod enter;
mod error;
mod merge;
mod output;
mod run;
mod surroundings;
mod tool;

pub use devices::devices;
pub use enter::enter;
pub use error::Error;
pub use merge::same_change;
pub use run::{Ended, InRoot, Told};
pub use surroundings::Device;
pub use tool::Tool;
