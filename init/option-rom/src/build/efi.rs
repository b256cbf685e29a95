use super::error::PartError;
use super::{LARGEST, Recipe};
use crate::compression::compress;
use crate::efi::PeFacts;

/// Bytes of the header up to PCIR, with the padding that aligns it.
const PCIR: usize = 0x1c;
/// Bytes of PCIR since PCI 3.0.
const PCIR_LENGTH: u16 = 0x1c;
const PCIR_REVISION: u8 = 3;
const EFI_SIGNATURE: u32 = 0x0ef1;
const CODE_TYPE_EFI: u8 = 3;
const LAST: u8 = 0x80;
const BLOCK: usize = 512;
const PADDING: u8 = 0xff;

/// An EFI image: header, PCIR, device list, driver (UEFI specification 2.10, 14.4.2). EfiRom pads
/// before a plain driver, so that it ends with the image, and behind a packed one.
pub(super) fn image(
    recipe: &Recipe,
    driver: &[u8],
    pack: bool,
    last: bool,
) -> Result<Vec<u8>, PartError> {
    let pe = PeFacts::read(driver).map_err(PartError::NoPe)?;
    if driver.len() > LARGEST {
        let length = driver.len();
        return Err(PartError::Long { length });
    }
    let packed = if pack { Some(packed(driver)?) } else { None };
    let body = packed.as_deref().unwrap_or(driver);
    let list = device_list(recipe);
    let headers = PCIR + usize::from(PCIR_LENGTH) + list.len();
    let length = (headers + body.len()).next_multiple_of(BLOCK);
    let start = if pack { headers } else { length - body.len() };
    let too_long = PartError::Long { length };
    let (Ok(units), Ok(offset)) = (u16::try_from(length / BLOCK), u16::try_from(start)) else {
        return Err(too_long);
    };

    let mut image = Vec::with_capacity(length);
    image.extend([0x55, 0xaa]);
    image.extend(units.to_le_bytes());
    image.extend(EFI_SIGNATURE.to_le_bytes());
    image.extend(pe.subsystem.to_le_bytes());
    image.extend(pe.machine.to_le_bytes());
    image.extend(u16::from(pack).to_le_bytes());
    image.resize(0x16, 0);
    image.extend(offset.to_le_bytes());
    image.extend([PCIR.to_le_bytes().first().copied().unwrap_or(0), 0]);
    image.resize(PCIR, 0);
    put_pcir(&mut image, recipe, units, last);
    image.extend(list);
    image.resize(start, PADDING);
    image.extend(body);
    image.resize(length, PADDING);
    Ok(image)
}

fn packed(driver: &[u8]) -> Result<Vec<u8>, PartError> {
    let packed = compress(driver);
    let (packed_length, plain) = (packed.len(), driver.len());
    if packed_length > plain {
        return Err(PartError::Grows {
            packed: packed_length,
            plain,
        });
    }
    Ok(packed)
}

/// All device ids and a zero, when there are several.
fn device_list(recipe: &Recipe) -> Vec<u8> {
    if recipe.devices.len() < 2 {
        return Vec::new();
    }
    let ids = recipe.devices.iter().map(|device| device.0).chain([0]);
    ids.flat_map(u16::to_le_bytes).collect()
}

/// The PCI data structure (PCI Firmware specification 3.3, 5.1.2).
fn put_pcir(image: &mut Vec<u8>, recipe: &Recipe, units: u16, last: bool) {
    let device = recipe.devices.first().map_or(0, |device| device.0);
    let list = if recipe.devices.len() > 1 {
        PCIR_LENGTH
    } else {
        0
    };
    let [programming, subclass, class, _] = recipe.class.0.to_le_bytes();
    image.extend(b"PCIR");
    image.extend(recipe.vendor.0.to_le_bytes());
    image.extend(device.to_le_bytes());
    image.extend(list.to_le_bytes());
    image.extend(PCIR_LENGTH.to_le_bytes());
    image.extend([PCIR_REVISION, programming, subclass, class]);
    image.extend(units.to_le_bytes());
    image.extend(recipe.revision.to_le_bytes());
    image.extend([CODE_TYPE_EFI, if last { LAST } else { 0 }]);
    // Maximum run-time length, configuration utility and DMTF CLP entry point: EfiRom leaves them out.
    image.extend([0; 6]);
}
