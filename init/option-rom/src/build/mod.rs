mod efi;
mod error;
mod legacy;

use pci::{ClassCode, DeviceId, VendorId};

pub use error::{BuildError, PartError};

use crate::{ProblemId, Rom};

/// Bytes that a ROM may have at most: the largest ROM BAR (PCI Local Bus specification 3.0, 6.2.5.2),
/// and EfiRom's limit.
pub const LARGEST: usize = 16 << 20;

/// What a ROM is to be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Vendor id for the EFI images.
    pub vendor: VendorId,
    /// Device ids for the EFI images: the first is PCIR's own; several make a device list.
    pub devices: Vec<DeviceId>,
    /// Class code for the EFI images. Firmware does not look at it, and EfiRom's own default is 0.
    pub class: ClassCode,
    /// Revision of the code for the EFI images, as their vendor counts.
    pub revision: u16,
    /// The images, in order.
    pub parts: Vec<Part>,
}

/// One image to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An EFI driver: a PE file.
    Efi {
        /// The file.
        driver: Vec<u8>,
        /// Whether to pack it.
        compress: bool,
    },
    /// An image for a legacy BIOS: a ROM with this image alone in it. Its ids stay as they are.
    Legacy(Vec<u8>),
}

/// Puts a ROM together, byte for byte as EDK2's EfiRom does (BaseTools/Source/C/EfiRom/EfiRom.c, with
/// its PCI 3.0 layout). What comes out was parsed again and has no problem.
pub fn build(recipe: &Recipe) -> Result<Vec<u8>, BuildError> {
    if recipe.devices.is_empty() || recipe.devices.contains(&DeviceId(0)) {
        return Err(BuildError::NoDevice);
    }
    if recipe.parts.is_empty() {
        return Err(BuildError::NoPart);
    }
    let mut rom = Vec::new();
    for (index, part) in recipe.parts.iter().enumerate() {
        let number = index + 1;
        let last = number == recipe.parts.len();
        let image = match part {
            Part::Efi { driver, compress } => efi::image(recipe, driver, *compress, last),
            Part::Legacy(file) => legacy::image(file, last),
        };
        rom.extend(image.map_err(|why| BuildError::Part { number, why })?);
        if rom.len() > LARGEST {
            return Err(BuildError::TooLarge { length: rom.len() });
        }
    }
    check(recipe, &rom)?;
    Ok(rom)
}

/// Whether our own parser finds in it what was put in.
fn check(recipe: &Recipe, rom: &[u8]) -> Result<(), BuildError> {
    let parsed = Rom::parse(rom);
    // Packed drivers of many MiB are not unpacked by the parser; they were packed a moment ago.
    let known = |id| id == ProblemId::EfiUnchecked;
    if let Some(problem) = parsed
        .problems
        .into_iter()
        .find(|problem| !known(problem.id))
    {
        return Err(BuildError::Unsound {
            detail: problem.detail,
        });
    }
    let (asked, found) = (recipe.parts.len(), parsed.images.len());
    if asked != found {
        let detail = format!("{asked} images were put in, and {found} are found.");
        return Err(BuildError::Unsound { detail });
    }
    Ok(())
}
