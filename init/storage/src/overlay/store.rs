use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::loop_device::LoopDevice;
use crate::Error;

/// Share of the memory that is free at the start of a look which all overlays together may fill.
const SHARE: u64 = 4;
/// Less than this holds no journal's replay.
const LEAST: u64 = 16 << 20;

/// Memory that overlays keep what is written to them in: a tmpfs with a bound that all share.
pub(crate) struct Store {
    folder: PathBuf,
    bound: u64,
}

/// How much all overlays together may hold, in bytes, on a machine with so much free memory; `None` when
/// that is too little for any look.
pub(crate) fn bound(free: u64) -> Option<u64> {
    let bound = free / SHARE;
    (bound >= LEAST).then_some(bound)
}

/// `MemAvailable` in bytes, from the text of /proc/meminfo.
pub(crate) fn available(meminfo: &str) -> Option<u64> {
    let rest = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

impl Store {
    /// Mounts the memory at `folder`, which is made when it is missing.
    pub fn mount(folder: &Path, bound: u64) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        let options = format!("size={bound},mode=0700");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(
            Some("preflight"),
            folder,
            Some("tmpfs"),
            flags,
            Some(options.as_str()),
        )
        .map_err(|errno| Error::io("mount a tmpfs at", folder)(errno.into()))?;
        Ok(Self {
            folder: folder.to_owned(),
            bound,
        })
    }

    /// A block device of `name` for what is written over an origin of so many bytes.
    pub(super) fn device(&self, name: &str, origin: u64) -> Result<LoopDevice, Error> {
        let path = self.folder.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(Error::io("make", &path))?;
        // More than the whole origin is never written.
        let length = origin.min(self.bound).next_multiple_of(4096);
        file.set_len(length).map_err(Error::io("size", &path))?;
        let device = LoopDevice::over(&file, &path)?;
        // The loop device holds the file; without a name it is gone when that is.
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        Ok(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlays_get_a_quarter_of_the_free_memory() {
        let text = "MemTotal:        8036404 kB\nMemFree:  10 kB\nMemAvailable:    4194304 kB\n";
        assert_eq!(available(text), Some(4 << 30));
        assert_eq!(bound(4 << 30), Some(1 << 30));
    }

    #[test]
    fn a_machine_without_memory_to_spare_gets_none() {
        assert_eq!(bound(40 << 20), None);
        assert_eq!(available("MemTotal: 12 kB"), None);
        assert_eq!(available("MemAvailable: many kB"), None);
    }
}
