use pci::{ClassCode, DeviceId, VendorId};
use serde::{Deserialize, Serialize};

/// A ROM as its bytes describe themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rom {
    /// Bytes before the first image (an NVIDIA file header).
    pub leading: usize,
    /// The images, in order.
    pub images: Vec<Image>,
    /// What stands behind the last image.
    pub trailing: Trailing,
    /// Good, usable or bad: the worst that `problems` allows.
    pub verdict: Verdict,
    /// Everything that is wrong or odd.
    pub problems: Vec<Problem>,
}

/// One image of a ROM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where it starts, in bytes from the start of the file.
    pub offset: usize,
    /// Bytes, from PCIR (or NPDE, which overrides it).
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
    /// The EFI header, for type 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efi: Option<EfiHeader>,
}

/// Code type of PCIR (PCI Firmware specification 3.3, 5.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ImageType {
    /// 0: x86 code for a legacy BIOS.
    X86,
    /// 1: Open Firmware.
    OpenFirmware,
    /// 3: EFI.
    Efi,
    /// Anything else; 0x70 and 0xE0 are NVIDIA's own.
    Other(u8),
}

/// Whether an image's bytes sum to zero modulo 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// They do.
    Ok,
    /// They do not, and for this type they must.
    Bad,
    /// This type has no such sum.
    None,
}

/// Fields of an EFI image's header (UEFI specification 2.10, 14.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EfiHeader {
    /// PE machine: 0x8664 x64, 0xaa64 arm64, 0x014c ia32.
    pub machine: u16,
    /// PE subsystem: 0x0b boot service driver, 0x0c runtime driver.
    pub subsystem: u16,
    /// The PE file inside is compressed.
    pub compressed: bool,
}

/// What stands behind the last image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "length")]
pub enum Trailing {
    /// Nothing.
    None,
    /// So many bytes of one repeated 0x00 or 0xFF.
    Padding(usize),
    /// So many bytes that are no padding.
    Data(usize),
}

/// Whether a ROM can serve as a card's ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As a card's flash would hold it.
    Good,
    /// Works, with the problems named.
    Usable,
    /// No ROM, or not a whole one.
    Bad,
}

/// One thing that is wrong or odd about a ROM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which.
    pub id: ProblemId,
    /// Where and how, in one sentence.
    pub detail: String,
}

/// Ids of problems; each has an entry in docs/findings.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProblemId {
    /// No `55 AA` where an image must start.
    #[serde(rename = "rom.no-signature")]
    NoSignature,
}

impl From<ImageType> for String {
    fn from(kind: ImageType) -> Self {
        match kind {
            ImageType::X86 => "x86".into(),
            ImageType::OpenFirmware => "open-firmware".into(),
            ImageType::Efi => "efi".into(),
            ImageType::Other(code) => format!("other:{code:02x}"),
        }
    }
}

impl TryFrom<String> for ImageType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "x86" => Ok(Self::X86),
            "open-firmware" => Ok(Self::OpenFirmware),
            "efi" => Ok(Self::Efi),
            other => other
                .strip_prefix("other:")
                .and_then(|code| u8::from_str_radix(code, 16).ok())
                .map(Self::Other)
                .ok_or_else(|| format!("'{other}' is no image type")),
        }
    }
}
