//! Copy-on-write overlays in memory: what a look writes stays there, and the disks stay as they are.
//!
//! An overlay is a device-mapper snapshot that is not persistent
//! (`Documentation/admin-guide/device-mapper/snapshot.rst`), over a partition, a bare disk, or an array.
//! The kernel opens the origin for reading alone.

mod device_mapper;
mod loop_device;
mod message;
mod state;
mod store;

use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sys::stat::{major, minor};

pub(crate) use device_mapper::DeviceMapper;
pub use state::OverlayState;
pub(crate) use store::{Store, available, bound};

use crate::Error;
use message::Target;

/// What the device-mapper UUID of every overlay begins with: that alone says what is ours.
pub(crate) const UUID_PREFIX: &str = "PREFLIGHT-";
/// Sectors of 512 bytes that are copied together: one page, so that a journal's block is one copy.
const CHUNK: u64 = 8;
/// Where tools look for devices by name.
const MAPPER: &str = "/dev/mapper";

/// One overlay. It stays until [`crate::tear_down`], or the guard of a look, takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    name: String,
    node: PathBuf,
}

impl Overlay {
    /// An overlay over the block device `origin` of so many bytes.
    pub fn over(
        origin: &Path,
        size: u64,
        mapper: &DeviceMapper,
        store: &Store,
    ) -> Result<Self, Error> {
        let kernel_name = origin.strip_prefix("/dev").unwrap_or(origin);
        let name = format!(
            "overlay-{}",
            kernel_name.display().to_string().replace('/', "!")
        );
        let memory = store.device(&name, size)?;
        let parameters = format!("{} {} N {CHUNK}", number(origin)?, number(&memory.node)?);
        let target = Target {
            length: size / 512,
            kind: "snapshot",
            parameters: &parameters,
        };
        let uuid = format!("{UUID_PREFIX}{name}");
        let minor = mapper.create(&name, &uuid, &target)?;
        let node = Path::new(MAPPER).join(&name);
        // Without udev only the kernel's own name is there.
        match fs::remove_file(&node) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &node)(error));
            }
            _ => {}
        }
        symlink(format!("../dm-{minor}"), &node).map_err(Error::io("make", &node))?;
        Ok(Self { name, node })
    }

    /// Its node, a name below /dev/mapper.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// How it is now.
    pub fn state(&self, mapper: &DeviceMapper) -> OverlayState {
        match mapper.status(&self.name) {
            Ok(status) => OverlayState::parse(&status),
            Err(error) => OverlayState::Odd(error.to_string()),
        }
    }
}

/// `MAJOR:MINOR` of a block device.
fn number(node: &Path) -> Result<String, Error> {
    let device = fs::metadata(node)
        .map_err(Error::io("read", node))?
        .st_rdev();
    Ok(format!("{}:{}", major(device), minor(device)))
}
