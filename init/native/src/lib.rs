//! What an installed system's own tools do to its boot files, done to the bytes of those files: for a system whose
//! tools are missing or fail, and for ESPs, whose copies nobody else keeps while a system does not run.
//!
//! [`entries`] changes the command line of boot entries; [`esp`] says which files of an ESP change when those of
//! the root did; [`initrd`] puts changed files behind an initrd. Nothing is written here, and all that is read comes through [`proxmox::files::Files`].

pub mod entries;
pub mod esp;
pub mod initrd;
