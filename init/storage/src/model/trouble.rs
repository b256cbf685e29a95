use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DiskId, FileSystemId, VolumeId};

/// Something that a look could not read or did not use; what it means for a person stands in its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// More was written over a volume than memory holds: what was read through the overlay does not count.
    Overflow {
        /// The volume.
        volume: VolumeId,
        /// Bytes that all overlays may fill.
        bound: u64,
    },
    /// A volume has no overlay and was left alone.
    NoOverlay {
        /// The volume.
        volume: VolumeId,
        /// Why.
        why: String,
    },
    /// The running system uses the disk; it was left alone.
    InUse {
        /// The disk.
        disk: DiskId,
    },
    /// The disk does not answer; it was left alone.
    Silent {
        /// Its kernel name; it was not asked for its identity.
        disk: String,
    },
    /// Another path to a disk that is read already.
    OtherPath {
        /// The disk.
        disk: DiskId,
    },
    /// A program that the image does not carry.
    NoProgram {
        /// Its name.
        program: String,
        /// What stays closed without it.
        what: String,
    },
    /// A LUKS volume that nobody has opened.
    Closed {
        /// The volume.
        volume: VolumeId,
    },
    /// An array, group or pool that could not be brought up.
    NotAssembled {
        /// What it is.
        what: String,
        /// Why.
        why: String,
    },
    /// A volume group, a pool, a btrfs or an MD array with redundancy without all of its members.
    Incomplete {
        /// What it is.
        what: String,
        /// How many members are not there; of an array, or are faulty.
        missing: u64,
    },
    /// A logical volume that is never activated, since that can write.
    LeftAlone {
        /// The volume.
        volume: VolumeId,
        /// Its name, `GROUP/VOLUME`.
        name: String,
        /// Why.
        why: String,
    },
    /// A file system that cannot be mounted.
    NotMounted {
        /// The file system.
        file_system: FileSystemId,
        /// Why.
        why: String,
    },
    /// So much of one kind that the rest was not taken in.
    LeftOut {
        /// What there is so much of, in the plural.
        what: String,
        /// How many were taken in.
        most: usize,
    },
    /// It is not known whether a disk was written to during the look.
    NotCounted {
        /// The disk.
        disk: DiskId,
        /// Why.
        why: String,
    },
    /// A device or something on it that was to be written to, and was left alone.
    NotWritable {
        /// What it is.
        what: String,
        /// Why.
        why: String,
    },
    /// Something that was open for writing did not close.
    NotClosed {
        /// What it is.
        what: String,
        /// Why.
        why: String,
    },
    /// Taking it all away again did not go through.
    NotTakenDown {
        /// What stays.
        what: String,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow { volume, bound } => write!(
                f,
                "more was written over {volume} than fits in memory ({} MiB for all volumes): nothing that \
                 was read from it counts. The disk itself is unchanged. Give the machine more memory, or \
                 unplug disks that are not needed",
                bound >> 20
            ),
            Self::NoOverlay { volume, why } => {
                write!(
                    f,
                    "{volume} was left alone, since nothing could protect it: {why}"
                )
            }
            Self::InUse { disk } => write!(
                f,
                "{disk} is in use by the running system and was left alone; boot the stick to read it"
            ),
            Self::Silent { disk } => write!(
                f,
                "/dev/{disk} does not answer and was left alone: unplug or replace it, and boot again"
            ),
            Self::OtherPath { disk } => write!(
                f,
                "{disk} is another path to a disk that was read already (multipath); it was not read twice"
            ),
            Self::NoProgram { program, what } => write!(
                f,
                "{what} cannot be read: the image does not carry {program}; build one with it (--with)"
            ),
            Self::Closed { volume } => {
                write!(
                    f,
                    "{volume} is encrypted (LUKS) and was not opened: its passphrase is needed"
                )
            }
            Self::NotAssembled { what, why } => write!(f, "{what} cannot be read: {why}"),
            Self::Incomplete { what, missing } => write!(
                f,
                "{what} lacks {missing} of its members: plug in the missing disks, or go on with what is there"
            ),
            Self::LeftAlone { name, why, .. } => write!(f, "{name} was not opened: {why}"),
            Self::NotMounted { file_system, why } => {
                write!(f, "{file_system} cannot be mounted: {why}")
            }
            Self::LeftOut { what, most } => write!(
                f,
                "{what}: only the first {most} were taken in, and nothing is known of the others"
            ),
            Self::NotCounted { disk, why } => write!(
                f,
                "what was written to {disk} during the look is not known: {why}"
            ),
            Self::NotWritable { what, why } => write!(
                f,
                "{what} was not opened for writing: {why}. Nothing was written to it"
            ),
            Self::NotClosed { what, why } => write!(
                f,
                "{what} was open for writing and does not close: {why}. What was written may not all be on the \
                 disk. Restart the machine and look at the disks again"
            ),
            Self::NotTakenDown { what, why } => write!(
                f,
                "{what} is still there: {why}. The disks are unchanged; restart before you change them"
            ),
        }
    }
}
