use std::io;
use std::path::PathBuf;

/// What can go wrong with block devices; each names the path and, where there is one, the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, folder or device could not be used.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried: `read`, `open`, `set read-only`, ...
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        cause: io::Error,
    },
    /// libblkid could not make sense of a device.
    #[error("cannot probe {path}: {detail}")]
    Probe {
        /// The device.
        path: PathBuf,
        /// libblkid's words.
        detail: String,
    },
    /// The stick is there and takes no data.
    #[error("{path} is write-protected; slide its lock switch, or use another stick")]
    WriteProtected {
        /// The partition.
        path: PathBuf,
    },
    /// The place for the results cannot be told from another one.
    #[error(
        "{first} and {second} have the same PARTUUID {uuid}: give one of them another (sgdisk -u), or unplug its disk"
    )]
    NotUnique {
        /// The PARTUUID.
        uuid: String,
        /// One partition that has it.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// Two sticks are plugged in, and nothing says which one was booted.
    #[error(
        "{first} and {second} are both on Preflight sticks, and it is not known which one was booted; unplug the other"
    )]
    TwoSticks {
        /// The results partition of one.
        first: PathBuf,
        /// That of another.
        second: PathBuf,
    },
    /// What was written through the kernel's partitions would lie where the table has none.
    #[error(
        "{disk} has another partition table than the kernel has read; restart the machine, and look again"
    )]
    OtherTable {
        /// The disk.
        disk: PathBuf,
    },
    /// Two looks would take each other's overlays and mounts away.
    #[error("another Preflight is at the disks, as {path} says; wait until it ends")]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// A look needs memory to write to in place of the disks.
    #[error(
        "only {} MiB of memory are free, too little to protect the disks during a look; give the machine \
         256 MiB more",
        free >> 20
    )]
    NoMemory {
        /// Bytes.
        free: u64,
    },
    /// Too little room on the stick.
    #[error(
        "{path} is full: {needed} bytes are needed and {free} are free; delete old reports from it"
    )]
    Full {
        /// The partition.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
}

impl Error {
    /// For `map_err` on an I/O result.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io {
            action,
            path,
            cause,
        }
    }
}
