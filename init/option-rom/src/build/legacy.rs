use super::error::PartError;
use crate::fields::{put, sum};
use crate::{ImageType, Rom, Verdict};

/// Where PCIR has its last bit, and NPDE.
const PCIR_INDICATOR: usize = 0x15;
const NPDE_INDICATOR: usize = 0x0a;
const LAST: u8 = 0x80;

/// The image of a legacy ROM, with the last bit as its new place wants it. As EfiRom does, the sum is
/// made right by the last byte; where the last bit stays as it was, that byte does, too.
pub(super) fn image(file: &[u8], last: bool) -> Result<Vec<u8>, PartError> {
    let rom = Rom::parse(file);
    let images = rom.images.len();
    let [image] = rom.images.as_slice() else {
        let bad = rom.verdict == Verdict::Bad;
        return Err(match rom.problems.into_iter().next() {
            Some(problem) if bad => PartError::BadLegacy {
                detail: problem.detail,
            },
            _ => PartError::NotAlone { images, around: 0 },
        });
    };
    if image.kind != ImageType::X86 {
        let kind = image.kind.to_string();
        return Err(PartError::NotLegacy { kind });
    }
    if image.length > file.len() - rom.leading.min(file.len()) {
        let detail = format!(
            "the image says that it has {} bytes, and {} are there",
            image.length,
            file.len()
        );
        return Err(PartError::BadLegacy { detail });
    }
    let around = file.len() - image.length;
    if around > 0 {
        return Err(PartError::NotAlone { images, around });
    }
    let mut bytes = file.to_vec();
    let indicator = [if last { LAST } else { 0 }];
    put(&mut bytes, image.pcir.offset + PCIR_INDICATOR, &indicator);
    if let Some(npde) = image.npde {
        put(&mut bytes, npde.offset + NPDE_INDICATOR, &indicator);
    }
    if let Some((byte, rest)) = bytes.split_last_mut() {
        *byte = 0_u8.wrapping_sub(sum(rest));
    }
    Ok(bytes)
}
