//! Block devices: which disks are there, which one is the boot stick, and keeping all others read-only.
//!
//! No content of an internal disk is read here. A disk on another bus than USB is opened for one ioctl
//! (setting it read-only), and its partition table is read only when the person named a place for the
//! results on it.

mod disks;
mod error;
mod partition_table;
mod read_only;
mod results;
mod stick;

pub use disks::{Disk, Partition, Transport, disk_named, disks};
pub use error::Error;
pub use partition_table::{PartitionEntry, file_system_label, partition_table};
pub use read_only::{is_read_only, set_read_only};
pub use results::ResultsMount;
pub use stick::{DataPlace, PARTITION_TYPE, Stick, VOLUME_LABEL, find_stick, stick_on};
