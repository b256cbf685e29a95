//! Programs and the shared libraries that they need, taken from a system without running anything
//! of it.

mod closure;
mod facts;
mod root;
mod search;

pub use closure::{Closure, ElfError, Item};
pub use facts::{ElfFacts, UNWINDER};
pub use root::{Located, SystemRoot};
