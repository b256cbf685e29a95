//! One file for each subcommand.

pub(crate) mod fetch;
pub(crate) mod initramfs;
