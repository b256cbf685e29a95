//! What every test starts from.

use std::path::Path;

use image_builder::cache::Cache;
use qemu_tests::golden::{self, Golden, Installed};
use qemu_tests::{Deadlines, Images, Qemu, baseline};
use tempfile::TempDir;

/// A QEMU, an installed system, and a folder for what a guest writes.
pub struct Lab {
    pub qemu: Qemu,
    pub installed: Installed,
    pub folder: TempDir,
}

impl Lab {
    /// The lab with this system, built on first need; or nothing and the reason printed.
    pub fn with(golden: Golden) -> Option<Self> {
        let opened = || -> Result<Self, String> {
            let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
            let cache = Cache::open().map_err(|error| error.to_string())?;
            let installed =
                golden::obtain(golden, &cache, &qemu).map_err(|error| format!("{error:#}"))?;
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            Ok(Self {
                qemu,
                installed,
                folder,
            })
        };
        match opened() {
            Ok(lab) => Some(lab),
            // Only root can build one that is not in the cache.
            Err(why) if !nix::unistd::geteuid().is_root() => {
                qemu_tests::skip(&why);
                None
            }
            Err(why) => panic!("{why}"),
        }
    }

    /// Deadlines for this machine; or nothing and the reason printed, when there is no kernel to measure it with.
    pub fn deadlines(&self) -> Option<Deadlines> {
        let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
        let kernel = Images::kernel()
            .map_err(|error| qemu_tests::skip(&error.to_string()))
            .ok()?;
        Some(baseline::deadlines(&self.qemu, &kernel, init).unwrap())
    }
}
