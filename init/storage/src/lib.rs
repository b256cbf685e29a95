//! Block devices: which disks are there, which one is the boot stick, keeping all others read-only, a look at
//! what is on them that writes nothing, and opening chosen file systems for writing.
//!
//! Until somebody calls [`look`], no content of an internal disk is read. A disk on another bus than USB is
//! opened for one ioctl (setting it read-only), and its partition table is read only when the person named
//! a place for the results on it.

mod btrfs;
mod disks;
mod error;
mod growth;
mod held;
mod look;
mod lvm;
mod model;
mod opened;
mod overlay;
mod partition_table;
mod program;
mod raid;
mod read_only;
mod reread;
mod results;
mod root;
mod signature;
mod stick;
mod tear_down;
mod unfinished;
mod writes;
mod zfs;

pub use disks::{Disk, Partition, Transport, disk_named, disks};
pub use error::Error;
pub use growth::{Growth, can_grow, disk_can_grow, grow, grow_disk, is_half_grown};
pub use look::{
    DiskWrites, Ended, LoadModules, Look, LookOptions, MODULES, Purpose, look, look_loading,
};
pub use lvm::{Access, LogicalVolume, VolumeGroup};
pub use model::{
    Array, CannotWrite, Content, DiskFacts, DiskId, FileSystem, FileSystemId, RootCandidate,
    Signature, Storage, Trouble, Volume, VolumeId, Wanted,
};
pub use overlay::OverlayState;
pub use partition_table::{PartitionEntry, file_system_label, partition_table};
pub use program::PROGRAM_PATIENCE;
pub use read_only::{is_read_only, set_read_only};
pub use reread::reread_partitions;
pub use results::ResultsMount;
pub use root::{Kind, NAMES, Root, RootError, Status, WriteError};
pub use stick::{DataPlace, PARTITION_TYPE, Stick, VOLUME_LABEL, find_stick, stick_on};
pub use tear_down::tear_down;
pub use unfinished::Kept;
pub use writes::Writes;
pub use zfs::{CanMount, DataSet, HostId, Pool};
