use crate::fields::{u16_at, u32_at};
use crate::image::SIGNATURE;

/// Images start on such boundaries (PCI Firmware specification 3.3, 5.1.1), and so do those behind
/// the file headers that NVIDIA's tools write.
const STEP: usize = 512;

/// What NVIDIA's flash chips start with: the header of the init-from-ROM section (IFR). Fields and
/// versions as NVIDIA's open kernel modules read them (kernel_gsp_vbios_tu102.c, dev_bus.h).
const IFR_SIGNATURE: &[u8] = b"NVGI";
/// The directory that version 3 leads to.
const ROM_DIRECTORY: &[u8] = b"RFRD";
/// Bytes of the flash status section, behind which the directory stands.
const FLASH_STATUS: usize = 4096;

/// What stands before the first image.
pub(crate) struct Leading {
    /// Bytes.
    pub(crate) length: usize,
    /// Places that were looked at to find its end.
    pub(crate) looked_at: usize,
}

impl Leading {
    /// Where the first image starts. Only here is anything searched for, and only when the file does not
    /// start as a ROM and no header says where the ROM is: inside an image a `55 AA` means nothing.
    pub(crate) fn find(bytes: &[u8]) -> Self {
        if bytes.starts_with(SIGNATURE) {
            return Self {
                length: 0,
                looked_at: 0,
            };
        }
        if let Some(length) = by_ifr(bytes).filter(|at| is_image(bytes, *at)) {
            return Self {
                length,
                looked_at: 1,
            };
        }
        let mut places = (STEP..bytes.len()).step_by(STEP);
        Self {
            length: places.find(|at| is_image(bytes, *at)).unwrap_or(0),
            looked_at: bytes.len() / STEP,
        }
    }

    /// What is to be said of it; none when there is nothing before the first image.
    pub(crate) fn detail(&self, bytes: &[u8]) -> Option<String> {
        let length = self.length;
        let what = if bytes.starts_with(IFR_SIGNATURE) {
            "NVIDIA's flash header (NVGI)"
        } else {
            "something else"
        };
        (length > 0).then(|| {
            format!(
                "The file starts with {what}, and the first image at {length:#x}; a ROM file must \
                 start with its first image."
            )
        })
    }
}

fn is_image(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.starts_with(SIGNATURE) && crate::pcir::find(rest).is_ok()
}

/// Where the header of NVIDIA's flash chips says that the ROM is.
fn by_ifr(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(IFR_SIGNATURE) {
        return None;
    }
    let offset = |at: usize| usize::try_from(u32_at(bytes, at)?).ok();
    match u16_at(bytes, 4)? >> 8 {
        1 | 2 => {
            let fixed = usize::from(u16_at(bytes, 6)? & 0x7fff);
            offset(fixed + 4)
        }
        3 => {
            let total = offset(8)? & 0xf_ffff;
            let directory = offset(total)?.checked_add(FLASH_STATUS)?;
            bytes
                .get(directory..)?
                .starts_with(ROM_DIRECTORY)
                .then_some(())?;
            offset(directory.checked_add(8)?)
        }
        _ => None,
    }
}
