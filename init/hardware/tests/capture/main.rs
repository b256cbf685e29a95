//! Captures: made, read back, and made by somebody who means harm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in test functions; what they call is test code, too"
)]

mod hostile;
mod identifiers;
mod machine;
mod same;

use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

use hardware::capture::{Capture, Details, Packed};
use hardware::{Machine, Source, read};

/// Reads a source and makes a capture of what was read.
fn captured(source: Source, identifiers: bool) -> (Machine, Packed) {
    let (source, recording) = source.record();
    let machine = read(&source).unwrap();
    let packed = recording.pack(&Details {
        version: "1.2.3",
        taken: UNIX_EPOCH + Duration::from_secs(1_732_147_199),
        identifiers,
        machine: &machine,
        boot_stick: None,
        names: None,
        roms: None,
    });
    (machine, packed.unwrap())
}

/// The machine in a capture.
fn machine_in(packed: &Packed) -> Machine {
    read(&Capture::read(packed.bytes.as_slice()).unwrap().source).unwrap()
}

/// The archive in a capture.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    zstd::Decoder::new(bytes)
        .unwrap()
        .read_to_end(&mut tar)
        .unwrap();
    tar
}
