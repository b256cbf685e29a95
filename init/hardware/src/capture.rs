//! Captures: all that was read of a machine in one file, so that another one comes to the same
//! assessment, and a later Preflight to a better one.
//!
//! A capture is a tar archive, compressed by zstd: `sys/`, `proc/` and `kernel.log` as they were read, so
//! that unpacked it is a folder to read from; `roms/` with the copies of option ROMs; `pci.ids` with the
//! names that were used; and `manifest.json`, which comes first. It is made by recording what a reading
//! of the machine asks for, so it holds what the readers use, whatever they are. Reading one unpacks
//! nothing to disk.

mod date;
mod error;
mod manifest;
mod pack;
mod redact;
mod unpack;

use std::time::SystemTime;

pub use self::error::CaptureError;
pub use self::manifest::{FileEntry, LeftOut, Manifest};
pub use self::unpack::Capture;
use crate::tree::Recorder;
use crate::{Machine, Names, RomReading};

/// The name and version of a manifest.
const SCHEMA: &str = "preflight.capture/1";
const MANIFEST: &str = "manifest.json";
const NAMES: &str = "pci.ids";
const ROMS: &str = "roms";

/// Everything that was read of a machine, from [`crate::Source::record`].
pub struct Recording {
    pub(crate) recorder: Recorder,
    pub(crate) complete: bool,
    pub(crate) sys: Option<String>,
    pub(crate) proc: Option<String>,
    pub(crate) log: String,
}

/// What goes into a capture beside what was read.
pub struct Details<'a> {
    /// Version of the program.
    pub version: &'a str,
    /// When the machine was read.
    pub taken: SystemTime,
    /// Keep serial numbers, MAC addresses and UUIDs.
    pub identifiers: bool,
    /// The machine that was read.
    pub machine: &'a Machine,
    /// Kernel name of the disk that Preflight was booted from.
    pub boot_stick: Option<&'a str>,
    /// The list that names were looked up in.
    pub names: Option<&'a Names>,
    /// Copies of option ROMs; none when nobody read any.
    pub roms: Option<&'a [RomReading]>,
}

/// A capture that was made.
pub struct Packed {
    /// The file's content.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl Recording {
    /// Ends the recording and makes the capture.
    ///
    /// # Errors
    /// [`CaptureError::Pack`] when the archive cannot be put together.
    pub fn pack(self, details: &Details) -> Result<Packed, CaptureError> {
        pack::pack(self, details)
    }
}
