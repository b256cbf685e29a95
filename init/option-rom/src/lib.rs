//! PCI option ROM images: parse and judge. Bytes only, no I/O, and every length is followed, never
//! searched for (PCI Firmware specification 3.3, chapter 5; UEFI specification 2.10, chapter 14).

mod rom;

pub use rom::{Checksum, EfiHeader, Image, ImageType, Problem, ProblemId, Rom, Trailing, Verdict};
