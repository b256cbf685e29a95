use pci::{ClassCode, DeviceId, FunctionId};

use crate::bytes::{Bytes, blocks, filler};
use crate::image::Common;
use crate::{EfiImage, Image, PcirRevision};

/// What stands before the first image of a flash dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileHeader {
    /// `NVGI` and so many bytes in all (0x400, 0x600 and 0xa00 are common).
    Nvidia(usize),
    /// So many bytes without a signature.
    Data(usize),
}

/// What stands behind the last image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trailing {
    /// So many bytes of one value.
    Padding(u8, usize),
    /// One value up to the next power of two, as in a flash chip that is larger than its ROM.
    ToPowerOfTwo(u8),
    /// So many bytes of data.
    Data(usize),
}

/// An option ROM, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RomMaker {
    id: FunctionId,
    class: ClassCode,
    revision: PcirRevision,
    devices: Vec<DeviceId>,
    images: Vec<Image>,
    leading: Option<FileHeader>,
    trailing: Option<Trailing>,
    length: Option<usize>,
}

impl RomMaker {
    /// A VGA controller's ROM with no image yet, for this function, with PCIR revision 3.
    pub const fn new(id: FunctionId) -> Self {
        Self {
            id,
            class: ClassCode(0x03_00_00),
            revision: PcirRevision::Three,
            devices: Vec::new(),
            images: Vec::new(),
            leading: None,
            trailing: None,
            length: None,
        }
    }

    /// For a function of this class.
    #[must_use]
    pub const fn class(mut self, class: ClassCode) -> Self {
        self.class = class;
        self
    }

    /// With this revision of PCIR in every image.
    #[must_use]
    pub const fn revision(mut self, revision: PcirRevision) -> Self {
        self.revision = revision;
        self
    }

    /// With these further device ids (written by PCIR revision 3 only).
    #[must_use]
    pub fn devices(mut self, devices: &[DeviceId]) -> Self {
        self.devices = devices.to_vec();
        self
    }

    /// With one more image, for a legacy BIOS, of so many bytes.
    #[must_use]
    pub fn legacy(self, length: usize) -> Self {
        self.image(Image::legacy(length))
    }

    /// With one more image, for UEFI.
    #[must_use]
    pub fn efi(self, driver: EfiImage) -> Self {
        self.image(Image::efi(driver))
    }

    /// With one more image.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.images.push(image);
        self
    }

    /// With this before the first image.
    #[must_use]
    pub const fn leading(mut self, leading: FileHeader) -> Self {
        self.leading = Some(leading);
        self
    }

    /// With this behind the last image.
    #[must_use]
    pub const fn trailing(mut self, trailing: Trailing) -> Self {
        self.trailing = Some(trailing);
        self
    }

    /// Cut off after so many bytes.
    #[must_use]
    pub const fn truncated(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// The ROM's bytes. The same description gives the same bytes.
    pub fn build(&self) -> Vec<u8> {
        let common = Common {
            id: self.id,
            class: self.class,
            revision: self.revision,
            devices: &self.devices,
        };
        let mut rom = self.leading.map(file_header).unwrap_or_default();
        for (index, image) in (1_u8..).zip(&self.images) {
            let last = usize::from(index) == self.images.len();
            rom.extend(image.bytes(&common, index, last));
        }
        match self.trailing {
            None => {}
            Some(Trailing::Padding(value, length)) => rom.resize(rom.len() + length, value),
            Some(Trailing::ToPowerOfTwo(value)) => {
                rom.resize(rom.len().next_power_of_two(), value);
            }
            Some(Trailing::Data(length)) => rom.extend(filler(0x7a11, length)),
        }
        if let Some(length) = self.length {
            rom.truncate(length);
        }
        rom
    }
}

fn file_header(header: FileHeader) -> Vec<u8> {
    let (signature, length) = match header {
        FileHeader::Nvidia(length) => (&b"NVGI"[..], length),
        FileHeader::Data(length) => (&[][..], length),
    };
    let mut bytes = Bytes(filler(0x1ead, length));
    bytes.put(0, signature);
    if matches!(header, FileHeader::Nvidia(_)) {
        bytes.u16(4, blocks(length));
    }
    bytes.0.truncate(length);
    bytes.0
}
