use std::path::{Path, PathBuf};

use serde_json::json;

use crate::argument::{Argument, file_node};

/// What a write to a bad spot ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The medium does not take it (EIO).
    Error,
    /// A thinly provisioned medium has no room for it (ENOSPC).
    NoSpace,
}

/// A disk that fails writes to one sector and takes all others, or fails all. A SCSI disk, because a virtio disk can
/// say no more than that it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingDisk {
    image: PathBuf,
    /// All of them, when there is none.
    sector: Option<u64>,
    fault: Fault,
}

impl FailingDisk {
    /// A disk on this raw image with a bad spot at this sector of 512 bytes.
    pub fn new(image: &Path, sector: u64, fault: Fault) -> Self {
        Self {
            image: image.to_owned(),
            sector: Some(sector),
            fault,
        }
    }

    /// A disk on this raw image that takes no write (EIO). What it has can be read.
    pub fn at_every_write(image: &Path) -> Self {
        Self {
            image: image.to_owned(),
            sector: None,
            fault: Fault::Error,
        }
    }

    /// Arguments for it, with an adapter named `id` at this place.
    pub(crate) fn arguments(&self, id: &str, bus: &str, addr: &str) -> Vec<Argument> {
        let node = format!("{id}-disk");
        let errno = match self.fault {
            Fault::Error => nix::libc::EIO,
            Fault::NoSpace => nix::libc::ENOSPC,
        };
        let mut error = json!({"event": "none", "iotype": "write", "errno": errno});
        if let Some(sector) = self.sector {
            error["sector"] = json!(sector);
        }
        vec![
            Argument::block(json!({
                "driver": "blkdebug", "node-name": node,
                "image": file_node(&self.image),
                "inject-error": [error],
            })),
            Argument::device(json!({
                "driver": "virtio-scsi-pci", "id": id, "bus": bus, "addr": addr,
            })),
            // Without werror QEMU stops the machine when there is no space.
            Argument::device(json!({
                "driver": "scsi-hd", "bus": format!("{id}.0"), "drive": node,
                "serial": id, "werror": "report",
            })),
        ]
    }
}
