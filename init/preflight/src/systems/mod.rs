//! Installed systems: on the disks of this machine, or in a folder.

mod disks;
mod encrypted;
mod firmware;
mod folder;
mod kernel_modules;
mod left_over;
mod one;
mod opened;
mod own_process;
mod process_group;
mod silent_disks;
mod uses;

pub use disks::{DiskOptions, OnDisks, look_options, on_disks};
pub use encrypted::ask as ask_passphrase;
pub use firmware::{boot_entries, firmware_kind};
pub use folder::{in_folder, in_running_system, open};
pub use kernel_modules::loader_or_none as module_loader;
pub use left_over::own_folder;
pub use one::{OneSystem, Which, one_on_disks};
pub use opened::{Esp, OpenedSystem, esps as find_esps};
pub use own_process::{Watched, on_disks_in_own_process};
pub use process_group::Interrupts;
pub use silent_disks::{SilentDisks, words as silent_disk_words};
pub use uses::installed_uses;

use std::os::unix::fs::MetadataExt;

/// Whether this is the stick, or whatever else Preflight is PID 1 of: then no disk is in use, and a look may
/// take any of them.
pub fn is_stick() -> bool {
    let identity = |path| {
        let program = std::fs::metadata(path).ok()?;
        Some((program.dev(), program.ino()))
    };
    let own = identity("/proc/self/exe");
    own.is_some() && own == identity("/proc/1/exe")
}
