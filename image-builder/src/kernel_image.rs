//! A kernel as a boot loader gets it: the setup header of a bzImage (the kernel's Documentation/arch/x86/boot.rst),
//! and the PE headers around it, by which UEFI starts it.

use goblin::pe::PE;
use serde::Serialize;

/// Where the setup header's fields stand in the file.
const MAGIC: usize = 0x202;
const PROTOCOL: usize = 0x206;
const VERSION: usize = 0x20e;
const LOAD_FLAGS: usize = 0x236;

/// A version string longer than this is none.
const LONGEST_VERSION: usize = 512;
const XLF_KERNEL_64: u16 = 1;

/// What a bzImage says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KernelImage {
    /// Version of the boot protocol: 0x020f is 2.15.
    pub protocol: u16,
    /// Release, builder and date, as `uname -r` and `uname -v` show them.
    pub version: Option<String>,
    /// Whether it has the 64-bit entry point.
    pub is_64_bit: bool,
    /// Whether UEFI can start it.
    pub efi_stub: bool,
    /// The names in its Authenticode signature, the signer's and those of issuers; none where it is not signed.
    /// That it holds is for firmware to check.
    pub signed_by: Option<Vec<String>>,
}

impl KernelImage {
    /// Reads the headers of a file; none where it is no bzImage.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(MAGIC..)?.first_chunk::<4>()? != b"HdrS" {
            return None;
        }
        let efi_stub = bytes.starts_with(b"MZ") && PE::parse(bytes).is_ok();
        Some(Self {
            protocol: word(bytes, PROTOCOL)?,
            version: version(bytes),
            is_64_bit: word(bytes, LOAD_FLAGS)? & XLF_KERNEL_64 != 0,
            efi_stub,
            signed_by: signers(bytes),
        })
    }

    /// The first word of the version, which is the name of the folder of its modules.
    pub fn release(&self) -> Option<&str> {
        self.version.as_deref()?.split(' ').next()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The field holds the string's place less 0x200, or zero.
fn version(bytes: &[u8]) -> Option<String> {
    let at = word(bytes, VERSION).filter(|at| *at != 0)?;
    let rest = bytes.get(usize::from(at) + 0x200..)?;
    let rest = rest.get(..LONGEST_VERSION).unwrap_or(rest);
    let end = rest.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(rest.get(..end)?).ok()?.trim();
    let is_text = !text.is_empty() && !text.contains(char::is_control);
    is_text.then(|| text.to_owned())
}

/// Whether a file is a PE program for UEFI, and as [`KernelImage::signed_by`]; none where it is none.
pub fn efi_program(bytes: &[u8]) -> Option<Option<Vec<String>>> {
    const SUBSYSTEMS: std::ops::RangeInclusive<u16> = 10..=13;
    let pe = bytes.starts_with(b"MZ").then(|| PE::parse(bytes).ok())??;
    let subsystem = pe.header.optional_header?.windows_fields.subsystem;
    SUBSYSTEMS.contains(&subsystem).then(|| signers(bytes))
}

/// The common names of a PE file's signatures, each once, in their order; none where it has no signature.
pub fn signers(bytes: &[u8]) -> Option<Vec<String>> {
    let pe = PE::parse(bytes).ok()?;
    let mut names = Vec::new();
    for certificate in &pe.certificates {
        for name in common_names(certificate.certificate) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    (!pe.certificates.is_empty()).then_some(names)
}

/// The attribute id-at-commonName (RFC 5280, appendix A.1) wherever it stands in a DER structure, with its value
/// as UTF8String or PrintableString of fewer than 128 bytes.
fn common_names(der: &[u8]) -> impl Iterator<Item = String> {
    const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    const UTF8: u8 = 0x0c;
    const PRINTABLE: u8 = 0x13;
    let places = (0..der.len()).filter_map(move |at| der.get(at..)?.strip_prefix(&COMMON_NAME));
    places.filter_map(|value| match value {
        [UTF8 | PRINTABLE, length @ ..0x80, rest @ ..] => {
            let text = std::str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
            (!text.contains(char::is_control)).then(|| text.to_owned())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bare(version: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x206..0x208].copy_from_slice(&[0x0f, 0x02]);
        bytes[0x20e..0x210].copy_from_slice(&[0x00, 0x01]);
        bytes[0x236] = 1;
        bytes[0x300..0x300 + version.len()].copy_from_slice(version);
        bytes
    }

    #[test]
    fn the_release_is_the_first_word_of_the_version() {
        let image = KernelImage::parse(&bare(b"6.1.0-test (a@b) #1 SMP\0")).unwrap();
        assert_eq!(image.release(), Some("6.1.0-test"));
        assert_eq!((image.protocol, image.is_64_bit), (0x020f, true));
        assert!(!image.efi_stub && image.signed_by.is_none());
    }

    #[test]
    fn without_a_version_there_is_no_release_and_without_the_magic_no_kernel() {
        assert_eq!(KernelImage::parse(&bare(b"\0")).unwrap().release(), None);
        let mut unmarked = bare(b"6.1\0");
        unmarked[0x202] = 0;
        assert_eq!(KernelImage::parse(&unmarked), None);
    }

    #[test]
    fn a_common_name_is_found_and_one_that_is_cut_is_not() {
        let der = b"..\x06\x03\x55\x04\x03\x0c\x05Maker..\x06\x03\x55\x04\x03\x13\x7fcut";
        assert_eq!(common_names(der).collect::<Vec<_>>(), ["Maker"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(mut bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            KernelImage::parse(&bytes);
            if let Some(place) = bytes.get_mut(0x202..0x206) {
                place.copy_from_slice(b"HdrS");
            }
            if let Some(place) = bytes.get_mut(..2) {
                place.copy_from_slice(b"MZ");
            }
            KernelImage::parse(&bytes);
        }
    }
}
