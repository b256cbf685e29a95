use pci::{ClassCode, DeviceId, VendorId};
use serde::{Deserialize, Serialize};

use crate::ImageType;
use crate::fields::{u8_at, u16_at, u32_at, units};

/// Bytes of the PCIR structure in its shortest revision.
pub(crate) const PCIR_LENGTH: usize = 0x18;
/// Bytes of the fields that we read from NPDE.
const NPDE_LENGTH: usize = 0x0b;
/// `PCIR`, and what NVIDIA writes in its place in images of its own (as the kernel's nouveau driver
/// reads them, drivers/gpu/drm/nouveau/nvkm/subdev/bios/pcir.c).
const SIGNATURES: [&[u8; 4]; 3] = [b"PCIR", b"NPDS", b"RGIS"];

/// What the PCI data structure says beside the ids (PCI Firmware specification 3.3, 5.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pcir {
    /// Where it is, in bytes from the start of its image.
    pub offset: usize,
    /// Bytes of the structure itself.
    pub length: usize,
    /// Revision of the structure: 0, or 3 since PCI 3.0.
    pub revision: u8,
    /// Bytes of the image as this structure has it; NPDE may say otherwise.
    pub image_length: usize,
    /// The last bit of this structure; NPDE may say otherwise.
    pub last: bool,
    /// Revision of the code, as its vendor counts.
    pub vendor_revision: u16,
    /// Bytes that the image takes at run time at most; from revision 3 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_length: Option<usize>,
    /// Further device ids that the image is for; from revision 3 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceId>,
}

/// NVIDIA's extension of PCIR, which overrides its length and its last bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Npde {
    /// Where it is, in bytes from the start of its image.
    pub offset: usize,
    /// Revision of the structure.
    pub revision: u16,
    /// Bytes of the image.
    pub image_length: usize,
    /// No image follows, not even one of NVIDIA's own.
    pub last: bool,
}

/// The fields of PCIR that an image shows as its own.
pub(crate) struct Found {
    pub(crate) vendor: VendorId,
    pub(crate) device: DeviceId,
    pub(crate) class: ClassCode,
    pub(crate) kind: ImageType,
    pub(crate) pcir: Pcir,
    /// Pointer to the device list, from the start of PCIR; none before revision 3.
    pub(crate) device_list: Option<u16>,
}

/// Why no PCIR can be read.
pub(crate) enum Missing {
    /// The bytes end too early to tell.
    Truncated,
    /// There is none.
    Absent,
}

/// Reads PCIR of the image that starts `rest` and may go on behind its end.
pub(crate) fn find(rest: &[u8]) -> Result<Found, Missing> {
    let offset = usize::from(u16_at(rest, 0x18).ok_or(Missing::Truncated)?);
    if offset < 0x1a {
        return Err(Missing::Absent);
    }
    let Some(signature) = rest.get(offset..offset + 4) else {
        // An old ROM has anything at 0x18, but all of it is there by the size in its own header.
        let size = units(u8_at(rest, 2).unwrap_or(0).into());
        let whole = size > 0 && size <= rest.len();
        return Err(if whole {
            Missing::Absent
        } else {
            Missing::Truncated
        });
    };
    if !SIGNATURES.iter().any(|known| *known == signature) {
        return Err(Missing::Absent);
    }
    rest.get(offset..offset + PCIR_LENGTH)
        .and_then(|structure| fields(structure, offset))
        .ok_or(Missing::Truncated)
}

fn fields(structure: &[u8], offset: usize) -> Option<Found> {
    let revision = u8_at(structure, 0x0c)?;
    let since_3 = revision >= 3;
    let class = u32_at(structure, 0x0c)? >> 8;
    let runtime_length = units(u16_at(structure, 0x16)?);
    Some(Found {
        vendor: VendorId(u16_at(structure, 0x04)?),
        device: DeviceId(u16_at(structure, 0x06)?),
        class: ClassCode(class),
        kind: ImageType::from(u8_at(structure, 0x14)?),
        device_list: u16_at(structure, 0x08).filter(|pointer| since_3 && *pointer != 0),
        pcir: Pcir {
            offset,
            length: usize::from(u16_at(structure, 0x0a)?),
            revision,
            image_length: units(u16_at(structure, 0x10)?),
            last: u8_at(structure, 0x15)? & 0x80 != 0,
            vendor_revision: u16_at(structure, 0x12)?,
            runtime_length: (since_3 && runtime_length > 0).then_some(runtime_length),
            devices: Vec::new(),
        },
    })
}

impl Npde {
    /// Looks for NPDE at the one place where it can be: the next 16-byte boundary behind PCIR.
    pub(crate) fn find(rest: &[u8], pcir: &Pcir) -> Option<Self> {
        let offset = (pcir.offset + pcir.length).next_multiple_of(16);
        let structure = rest.get(offset..offset + NPDE_LENGTH)?;
        let inside = pcir.image_length == 0 || offset + NPDE_LENGTH <= pcir.image_length;
        if !inside || !structure.starts_with(b"NPDE") {
            return None;
        }
        Some(Self {
            offset,
            revision: u16_at(structure, 4)?,
            image_length: units(u16_at(structure, 8)?),
            last: u8_at(structure, 0x0a)? & 0x80 != 0,
        })
    }
}

/// The device ids from `start` to the zero that ends them; none when no zero comes within `image`.
pub(crate) fn device_list(image: &[u8], start: usize) -> Option<Vec<DeviceId>> {
    let mut devices = Vec::new();
    let pairs = image.get(start..)?.chunks_exact(2);
    for pair in pairs.take(usize::from(u16::MAX)) {
        match u16_at(pair, 0)? {
            0 => return Some(devices),
            id => devices.push(DeviceId(id)),
        }
    }
    None
}
