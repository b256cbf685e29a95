//! Where a signed GRUB for UEFI looks for its configuration. Its vendor has built that in: Debian's looks in
//! `/EFI/debian`, Proxmox's in `/EFI/proxmox`.

use super::GrubError;

/// The object of GRUB's image that holds the folder (include/grub/kernel.h, `OBJ_TYPE_PREFIX`), and behind its type
/// its length with this header.
const TYPE: [u8; 4] = 3_u32.to_le_bytes();
const HEADER: usize = 8;
const FOLDER: &[u8] = b"/EFI/";

/// The path of the configuration on the medium, such as `EFI/debian/grub.cfg`.
pub(super) fn config(grub: &[u8]) -> Result<String, GrubError> {
    let vendor = grub
        .windows(HEADER + FOLDER.len())
        .enumerate()
        .filter(|(_, window)| window.starts_with(&TYPE) && window.ends_with(FOLDER))
        .find_map(|(at, window)| vendor(grub.get(at + window.len()..)?));
    match vendor {
        Some(vendor) => Ok(format!("EFI/{vendor}/grub.cfg")),
        None => Err(GrubError::NoPrefix),
    }
}

/// The name that ends with a zero byte at the front of `bytes`.
fn vendor(bytes: &[u8]) -> Option<&str> {
    let name = bytes.split(|&byte| byte == 0).next()?;
    let ends = bytes.len() > name.len();
    let is_plain = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !ends || name.is_empty() || !name.iter().all(is_plain) {
        return None;
    }
    std::str::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of GRUB with these bytes in an object of this type.
    fn grub(kind: u32, content: &[u8]) -> Vec<u8> {
        let mut image = b"MZ /EFI/other\0 normal (memdisk)/grub.cfg\n\0".to_vec();
        let length = u32::try_from(HEADER + content.len()).unwrap();
        image.extend(kind.to_le_bytes());
        image.extend(length.to_le_bytes());
        image.extend(content);
        image
    }

    #[test]
    fn the_folder_is_that_of_whoever_signed_it() {
        for vendor in ["debian", "proxmox", "ubuntu"] {
            let image = grub(3, format!("/EFI/{vendor}\0\0\0").as_bytes());
            let path = format!("EFI/{vendor}/grub.cfg");
            assert_eq!(config(&image).unwrap(), path);
        }
    }

    #[test]
    fn a_grub_that_looks_elsewhere_is_refused() {
        let elsewhere: [(u32, &[u8]); 5] = [
            (3, b"/boot/grub\0"),
            (3, b"/EFI/debian"),
            (3, b"/EFI/\0"),
            (3, b"/EFI/a/b\0"),
            (2, b"/EFI/debian\0"),
        ];
        for (kind, content) in elsewhere {
            let error = config(&grub(kind, content)).unwrap_err().to_string();
            assert!(error.contains("grub-efi-amd64-signed"), "{error}");
        }
        assert!(config(b"").is_err());
    }
}
