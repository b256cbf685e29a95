//! What starts GRUB on BIOS: boot code in the first sector, which loads the first sector of the core, which
//! loads the rest of it. The fields are those of GRUB's `include/grub/i386/pc/boot.h`.

use super::GrubError;
use crate::gpt::SECTOR;

/// Bytes of boot code in front of the disk signature and the protective partition table.
pub const BOOT_CODE: usize = 440;

const SECTOR_BYTES: usize = 512;
/// In the boot code: LBA of the core's first sector, u64.
const CORE_LBA: usize = 0x5c;
/// In the boot code: a jump over the code that mends the drive number.
const DRIVE_CHECK: usize = 0x66;
/// Two times no operation: some BIOSes start a hard disk with a wrong drive number.
const MEND_THE_DRIVE_NUMBER: [u8; 2] = [0x90, 0x90];
/// In the core's first sector: where the rest of it is. LBA as u64, sectors as u16, segment as u16.
const REST_LBA: usize = 0x1f4;
const REST_SECTORS: usize = 0x1fc;

/// GRUB's images for BIOS, ready for their places on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiosBoot {
    /// For the start of the disk.
    pub boot_code: [u8; BOOT_CODE],
    /// For the BIOS boot partition; whole sectors.
    pub core: Vec<u8>,
}

impl BiosBoot {
    /// `boot_image` and `core_image` as GRUB has made them, for a core at the byte `core_start` of a disk.
    pub fn placed(
        boot_image: &[u8],
        core_image: &[u8],
        core_start: u64,
    ) -> Result<Self, GrubError> {
        let wrong = |image, why| GrubError::Image { image, why };
        let too_short = || wrong("boot.img", "it is too short");
        let mut boot_code: [u8; BOOT_CODE] = *boot_image.first_chunk().ok_or_else(too_short)?;
        let lba = core_start / SECTOR;
        put(&mut boot_code, CORE_LBA, &lba.to_le_bytes()).ok_or_else(too_short)?;
        put(&mut boot_code, DRIVE_CHECK, &MEND_THE_DRIVE_NUMBER).ok_or_else(too_short)?;

        let mut core = core_image.to_vec();
        core.resize(core.len().next_multiple_of(SECTOR_BYTES), 0);
        let sectors = core.len() / SECTOR_BYTES;
        let said = core.get(REST_SECTORS..REST_SECTORS + 2);
        let said = said.and_then(|bytes| Some(u16::from_le_bytes(*bytes.first_chunk()?)));
        if said.map(usize::from) != sectors.checked_sub(1) {
            let why = "its first sector does not say how many follow";
            return Err(wrong("core.img", why));
        }
        put(&mut core, REST_LBA, &(lba + 1).to_le_bytes())
            .ok_or_else(|| wrong("core.img", "it is too short"))?;
        Ok(Self { boot_code, core })
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..at + value.len())?.copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(sectors: u16) -> Vec<u8> {
        let mut core = vec![1; usize::from(sectors) * SECTOR_BYTES - 100];
        core[REST_SECTORS..REST_SECTORS + 2].copy_from_slice(&(sectors - 1).to_le_bytes());
        core
    }

    #[test]
    fn each_part_is_told_where_the_next_one_lies() {
        let placed = BiosBoot::placed(&[7; 512], &core(300), 1 << 20).unwrap();
        assert_eq!(
            placed.boot_code[CORE_LBA..CORE_LBA + 8],
            2048_u64.to_le_bytes()
        );
        assert_eq!(placed.core[REST_LBA..REST_LBA + 8], 2049_u64.to_le_bytes());
        assert_eq!(placed.core.len(), 300 * SECTOR_BYTES);
    }

    #[test]
    fn images_of_another_shape_are_refused() {
        assert!(BiosBoot::placed(&[7; 100], &core(3), 1 << 20).is_err());
        assert!(BiosBoot::placed(&[7; 512], &[], 1 << 20).is_err());
        assert!(BiosBoot::placed(&[7; 512], &[1; 5000], 1 << 20).is_err());
    }
}
