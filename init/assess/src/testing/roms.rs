use hardware::{FailureKind, RomFailure, RomReading, RomSource};
use pci::FunctionId;
use rom_maker::{EfiImage, RomMaker};

use super::address;

const ID: FunctionId = FunctionId::new(0x1002, 0x5046);

/// A clean reading of this function's ROM BAR.
pub(crate) fn rom_reading(place: &str, bytes: Vec<u8>) -> RomReading {
    RomReading {
        address: address(place),
        id: None,
        source: RomSource::RomBar,
        place: format!("/sys/bus/pci/devices/{}/rom", address(place)),
        taint: None,
        bytes: Ok(bytes),
        not_restored: Vec::new(),
    }
}

/// What a source says that gave no copy.
pub(crate) fn rom_failure(kind: FailureKind, why: &str) -> Result<Vec<u8>, RomFailure> {
    let why = why.to_owned();
    Err(RomFailure { kind, why })
}

/// An x86 image alone, 1 KiB, whole and with the right sum, for the id of [`super::function`].
pub(crate) fn legacy_rom() -> Vec<u8> {
    RomMaker::new(ID).legacy(1024).build()
}

/// The same image and an EFI image behind it, uncompressed.
pub(crate) fn whole_rom() -> Vec<u8> {
    RomMaker::new(ID).legacy(1024).efi(EfiImage::x64()).build()
}
