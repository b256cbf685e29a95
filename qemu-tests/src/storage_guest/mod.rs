//! A guest with the tools of installed systems: it lays out disks, and looks at them with the crate `storage`.

mod image;
mod inventory;
mod request;
mod writing;

pub use image::image;
pub use inventory::Inventory;
pub use request::{
    LookAnswer, LookRequest, RehearseAnswer, RehearseRequest, Request, RootFile, Step,
};
pub use writing::{End, WriteAnswer, WriteRequest};
