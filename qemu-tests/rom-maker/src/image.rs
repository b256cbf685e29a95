use pci::{ClassCode, DeviceId, FunctionId};

use crate::bytes::{BLOCK, Bytes, blocks, filler};
use crate::pcir::{Npde, Pcir};
use crate::{EfiImage, PcirRevision};

/// PCIR's place in an EFI image: behind the header, on a 4-byte boundary.
const EFI_PCIR: usize = 0x1c;
/// PCIR's place in every other image.
const PCIR: usize = 0x40;
const X86: u8 = 0;
const EFI: u8 = 3;
/// EFI_PCI_EXPANSION_ROM_HEADER_EFISIGNATURE.
const EFI_SIGNATURE: u32 = 0x0ef1;
/// `retf`: firmware that calls the image gets control back at once.
const RETURN: u8 = 0xcb;

/// One image of a ROM, and what is to be wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    code_type: u8,
    length: usize,
    efi: Option<EfiImage>,
    id: Option<FunctionId>,
    npde: bool,
    last: Option<bool>,
    claimed_length: Option<usize>,
    wrong_checksum: bool,
    decoys: bool,
}

/// What the images of one ROM have in common.
pub(crate) struct Common<'a> {
    pub(crate) id: FunctionId,
    pub(crate) class: ClassCode,
    pub(crate) revision: PcirRevision,
    pub(crate) devices: &'a [DeviceId],
}

impl Image {
    /// Of any code type (0x70 and 0xe0 are NVIDIA's own), so many bytes long, rounded up to 512.
    pub const fn other(code_type: u8, length: usize) -> Self {
        Self {
            code_type,
            length,
            efi: None,
            id: None,
            npde: false,
            last: None,
            claimed_length: None,
            wrong_checksum: false,
            decoys: false,
        }
    }

    /// For a legacy BIOS (type 0). Its code returns at once.
    pub const fn legacy(length: usize) -> Self {
        Self::other(X86, length)
    }

    /// For UEFI (type 3); as long as its driver needs.
    pub const fn efi(driver: EfiImage) -> Self {
        let mut image = Self::other(EFI, 0);
        image.efi = Some(driver);
        image
    }

    /// At least so many bytes long; the rest is padding.
    #[must_use]
    pub const fn length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    /// With other ids in PCIR than the ROM's.
    #[must_use]
    pub const fn id(mut self, id: FunctionId) -> Self {
        self.id = Some(id);
        self
    }

    /// With NVIDIA's extension behind PCIR; it has the true length and the true last bit.
    #[must_use]
    pub const fn npde(mut self) -> Self {
        self.npde = true;
        self
    }

    /// With this last bit in PCIR, wherever the image stands.
    #[must_use]
    pub const fn last(mut self, last: bool) -> Self {
        self.last = Some(last);
        self
    }

    /// With this length in PCIR, whatever the truth is.
    #[must_use]
    pub const fn claims(mut self, length: usize) -> Self {
        self.claimed_length = Some(length);
        self
    }

    /// With bytes that do not sum to zero (type 0; nothing else has a sum).
    #[must_use]
    pub const fn wrong_checksum(mut self) -> Self {
        self.wrong_checksum = true;
        self
    }

    /// With what looks like an image on every fourth 512-byte boundary inside.
    #[must_use]
    pub const fn decoys(mut self) -> Self {
        self.decoys = true;
        self
    }

    /// The image's bytes. `last`: whether nothing stands behind it.
    pub(crate) fn bytes(&self, common: &Common<'_>, index: u8, last: bool) -> Vec<u8> {
        let id = self.id.unwrap_or(common.id);
        let seed = u64::from(common.id.vendor.0) << 32
            | u64::from(common.id.device.0) << 16
            | u64::from(index);
        let pcir_at = if self.efi.is_some() { EFI_PCIR } else { PCIR };
        let npde_at = Npde::offset(pcir_at, common.revision);
        let list_at = npde_at + if self.npde { Npde::LENGTH } else { 0 };
        let body_at = (list_at + 2 * (common.devices.len() + 1)).next_multiple_of(16);

        let mut image = Bytes::default();
        match &self.efi {
            Some(driver) => image.put(body_at, &driver.stored(seed)),
            None => image.put(body_at, &filler(seed, self.length.saturating_sub(body_at))),
        }
        let length = image
            .0
            .len()
            .max(self.length)
            .max(1)
            .next_multiple_of(BLOCK);
        image.0.resize(length, 0xff);

        image.put(0, &[0x55, 0xaa]);
        image.u16(0x18, u16::try_from(pcir_at).unwrap_or(0));
        match &self.efi {
            Some(driver) => put_efi_header(&mut image, driver, body_at),
            None => {
                let size = blocks(length).min(0xff).to_le_bytes();
                image.put(2, &[size[0], RETURN]);
            }
        }
        let pcir = Pcir {
            id,
            class: common.class,
            revision: common.revision,
            devices: common.devices,
            code_type: self.code_type,
            image_length: self.claimed_length.unwrap_or(length),
            last: self.last.unwrap_or(last),
        };
        pcir.put(&mut image, pcir_at, list_at);
        if self.npde {
            let image_length = length;
            Npde { image_length, last }.put(&mut image, npde_at);
        }
        if self.decoys {
            put_decoys(&mut image, body_at, length);
        }
        if self.code_type == X86 {
            set_sum(&mut image.0, u8::from(self.wrong_checksum));
        }
        image.0
    }
}

/// The fields of UEFI specification 2.10, 14.4.2.
fn put_efi_header(image: &mut Bytes, driver: &EfiImage, pe_at: usize) {
    image.u16(0x02, blocks(image.0.len()));
    image.u32(0x04, EFI_SIGNATURE);
    image.u16(0x08, driver.subsystem.number());
    image.u16(0x0a, driver.machine.number());
    image.u16(0x0c, u16::from(driver.compressed));
    image.u16(0x16, u16::try_from(pe_at).unwrap_or(0));
}

/// Whole headers with ids of nobody: a walk that follows the lengths never meets them.
fn put_decoys(image: &mut Bytes, body_at: usize, length: usize) {
    let first = body_at.next_multiple_of(BLOCK);
    for at in (first..length - BLOCK.min(length)).step_by(4 * BLOCK) {
        image.put(at, &[0x55, 0xaa, 1]);
        image.u16(at + 0x18, 0x1c);
        let pcir = Pcir {
            id: FunctionId::new(0xdead, 0xbeef),
            class: ClassCode(0xff_0000),
            revision: PcirRevision::Zero,
            devices: &[],
            code_type: X86,
            image_length: BLOCK,
            last: true,
        };
        pcir.put(image, at + 0x1c, 0);
    }
}

/// Sets the last byte so that all bytes sum to `target`.
fn set_sum(bytes: &mut [u8], target: u8) {
    if let Some((last, rest)) = bytes.split_last_mut() {
        let sum = rest.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        *last = target.wrapping_sub(sum);
    }
}
