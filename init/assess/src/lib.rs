//! Rules: a [`hardware::Machine`] and the ROM copies in, an [`Assessment`] out. Pure.

mod assessment;

pub use assessment::*;
