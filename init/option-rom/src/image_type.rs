use serde::{Deserialize, Serialize};

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

impl From<u8> for ImageType {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::X86,
            1 => Self::OpenFirmware,
            3 => Self::Efi,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for ImageType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::X86 => f.write_str("x86"),
            Self::OpenFirmware => f.write_str("open-firmware"),
            Self::Efi => f.write_str("efi"),
            Self::Other(code) => write!(f, "other:{code:02x}"),
        }
    }
}

impl From<ImageType> for String {
    fn from(kind: ImageType) -> Self {
        kind.to_string()
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
