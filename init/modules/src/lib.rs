//! Kernel modules: which ones a device's modalias asks for, in which order, and loading them. Reads the
//! files that depmod(8) writes; never loads a graphics driver.

mod aliases;
mod glob;
mod graphics;
mod index;
mod load;
mod name;

pub use glob::matches;
pub use graphics::is_graphics_driver;
pub use index::{Index, IndexError, Module};
pub use load::{LoadError, Loaded, Loader};
pub use name::ModuleName;
