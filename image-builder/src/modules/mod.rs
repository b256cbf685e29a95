//! Kernel modules: which ones go into an image, and the index files that modprobe's rules read.

mod builtin;
mod closure;
mod error;
mod graphics;
mod host;
mod index;
mod kernel;
mod list;
mod modinfo;
mod name;
mod pattern;
#[cfg(test)]
pub(crate) mod testing;

pub use builtin::Builtin;
pub use closure::{Carried, Cause, Modules};
pub use error::ClosureError;
pub use host::{HostKernel, HostKernelError};
pub use index::index_files;
pub use kernel::{Kernel, KernelError};
pub use list::{ADDED, Entry, ListError, ModuleList, Selector};
pub use modinfo::{ModInfo, NotAModule};
pub use name::ModuleName;
pub use pattern::{alias_matches, path_matches};
