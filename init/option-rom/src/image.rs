use pci::{ClassCode, DeviceId, VendorId};
use serde::{Deserialize, Serialize};

use crate::fields::{sum, u8_at, units};
use crate::pcir::{self, Missing, PCIR_LENGTH};
use crate::work::Work;
use crate::{EfiHeader, ImageType, Npde, Pcir, ProblemId};

/// One image of a ROM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where it starts, in bytes from the start of the file.
    pub offset: usize,
    /// Bytes, from PCIR (or NPDE, which overrides it). Can lead beyond a truncated file.
    pub length: usize,
    /// Code type of PCIR.
    #[serde(rename = "type")]
    pub kind: ImageType,
    /// Vendor id in PCIR.
    pub vendor: VendorId,
    /// Device id in PCIR.
    pub device: DeviceId,
    /// Class code in PCIR.
    pub class: ClassCode,
    /// Whether the bytes sum to zero. Only type 0 images must.
    pub checksum: Checksum,
    /// The last bit of PCIR (or NPDE).
    pub last: bool,
    /// Bytes that the size byte at offset 2 speaks of, which initialisation code may have shrunk.
    pub header_length: usize,
    /// The EFI header, for type 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efi: Option<EfiHeader>,
    /// The rest of PCIR.
    pub pcir: Pcir,
    /// NVIDIA's extension of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub npde: Option<Npde>,
}

/// Whether an image's bytes sum to zero modulo 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// They do.
    Ok,
    /// They do not, and for this type they must.
    Bad,
    /// This type has no such sum, or not all of the image is there.
    None,
}

/// Why no image starts at a place.
pub(crate) enum NoImage {
    /// No signature of an image.
    Signature,
    /// A signature and no PCIR.
    Pcir,
    /// The bytes end within the header or within PCIR.
    Truncated,
    /// It has no length.
    ZeroLength,
}

/// `55 AA`, with which a ROM must start.
pub(crate) const SIGNATURE: &[u8] = &[0x55, 0xaa];
/// What NVIDIA's own images start with; they only come behind others (as in the kernel's nouveau
/// driver, nvkm/subdev/bios/image.c).
const VENDOR_SIGNATURES: [&[u8]; 2] = [b"VN", &[0x77, 0xbb]];
/// Bytes up to the end of the pointer to PCIR.
const HEADER_LENGTH: usize = 0x1a;
/// NVIDIA's type 0x70 ends a ROM, whatever its last bits say (nouveau, as above).
const NVIDIA_LAST: ImageType = ImageType::Other(0x70);

impl Image {
    /// The image's bytes, as many of them as `rom`, the file it was parsed from, has.
    pub fn bytes<'a>(&self, rom: &'a [u8]) -> &'a [u8] {
        let rest = rom.get(self.offset..).unwrap_or_default();
        rest.get(..self.length).unwrap_or(rest)
    }

    /// Where the next image starts, in bytes from the start of the file.
    pub fn end(&self) -> usize {
        self.offset + self.length
    }

    /// Whether nothing is announced behind it.
    pub(crate) fn ends_rom(&self) -> bool {
        self.last || self.kind == NVIDIA_LAST
    }

    /// Reads the image that starts at `offset`, and names what is wrong inside it.
    pub(crate) fn read(rom: &[u8], offset: usize, work: &mut Work) -> Result<Self, NoImage> {
        let rest = rom.get(offset..).unwrap_or_default();
        check_signature(rest, offset == 0)?;
        let found = pcir::find(rest).map_err(|missing| match missing {
            Missing::Truncated => NoImage::Truncated,
            Missing::Absent => NoImage::Pcir,
        })?;
        let npde = Npde::find(rest, &found.pcir);
        let length = npde
            .map(|npde| npde.image_length)
            .filter(|length| *length > 0)
            .unwrap_or(found.pcir.image_length);
        if length == 0 {
            return Err(NoImage::ZeroLength);
        }
        let mut image = Self {
            offset,
            length,
            kind: found.kind,
            vendor: found.vendor,
            device: found.device,
            class: found.class,
            checksum: Checksum::None,
            last: npde.map_or(found.pcir.last, |npde| npde.last),
            header_length: units(u8_at(rest, 2).unwrap_or(0).into()),
            efi: None,
            pcir: found.pcir,
            npde,
        };
        image.check_pcir(work);
        let own = image.bytes(rom);
        if own.len() == length {
            image.read_devices(own, found.device_list, work);
            image.check_sum(own, work);
        }
        if image.kind == ImageType::Efi {
            image.efi = EfiHeader::read(own, &image, work);
        }
        Ok(image)
    }

    fn check_pcir(&self, work: &mut Work) {
        let Pcir { offset, length, .. } = self.pcir;
        if length < PCIR_LENGTH {
            let detail = format!(
                "{} says that its PCIR structure has {length} bytes, which is less than \
                 {PCIR_LENGTH}.",
                self.place()
            );
            work.report(ProblemId::PcirShort, detail);
        }
        if offset + PCIR_LENGTH > self.length {
            let detail = format!(
                "{} has {} bytes, and its PCIR structure lies at {offset:#x} behind them.",
                self.place(),
                self.length
            );
            work.report(ProblemId::PcirOutside, detail);
        }
    }

    fn read_devices(&mut self, own: &[u8], pointer: Option<u16>, work: &mut Work) {
        let Some(pointer) = pointer else {
            return;
        };
        let start = self.pcir.offset + usize::from(pointer);
        let Some(devices) = pcir::device_list(own, start) else {
            let detail = format!(
                "{} has a device list at {start:#x} that does not end inside the image.",
                self.place()
            );
            work.count(own.len());
            return work.report(ProblemId::DeviceList, detail);
        };
        work.count(devices.len());
        self.pcir.devices = devices;
    }

    /// A legacy BIOS sums as many bytes as the size byte says, which can be fewer than PCIR has, so
    /// either sum will do.
    fn check_sum(&mut self, own: &[u8], work: &mut Work) {
        if self.kind != ImageType::X86 {
            return;
        }
        work.count(own.len());
        let whole = sum(own);
        if whole == 0 || self.sums_by_header(own, work) {
            self.checksum = Checksum::Ok;
            return;
        }
        self.checksum = Checksum::Bad;
        let detail = format!(
            "The bytes of {} sum to {whole:#04x} instead of zero.",
            self.place_inside()
        );
        work.report(ProblemId::Checksum, detail);
    }

    fn sums_by_header(&self, own: &[u8], work: &mut Work) -> bool {
        let part = own.get(..self.header_length).unwrap_or_default();
        work.count(part.len());
        !part.is_empty() && sum(part) == 0
    }

    /// The image as the start of a sentence.
    pub(crate) fn place(&self) -> String {
        format!("The {} image at {:#x}", self.kind, self.offset)
    }

    /// The image in the middle of a sentence.
    pub(crate) fn place_inside(&self) -> String {
        format!("the {} image at {:#x}", self.kind, self.offset)
    }
}

fn check_signature(rest: &[u8], first: bool) -> Result<(), NoImage> {
    let own = rest.starts_with(SIGNATURE);
    let vendor = !first
        && VENDOR_SIGNATURES
            .iter()
            .any(|signature| rest.starts_with(signature));
    let begun = !rest.is_empty() && SIGNATURE.starts_with(rest);
    match (own || vendor, rest.len() < HEADER_LENGTH) {
        (true, false) => Ok(()),
        (true, true) => Err(NoImage::Truncated),
        (false, _) if begun => Err(NoImage::Truncated),
        (false, _) => Err(NoImage::Signature),
    }
}
