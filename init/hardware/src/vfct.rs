//! VFCT, the ACPI table in which firmware leaves the option ROMs of AMD displays: integrated ones have no
//! ROM of their own (`VFCT_IMAGE_HEADER` in the kernel's drivers/gpu/drm/amd/amdgpu/atombios.h). Pure; the
//! bytes are firmware's and are taken as hostile.

use pci::{Address, FunctionId};

/// Offset of the field that says where the first image begins.
const FIRST_IMAGE: usize = 52;
/// Length of an image's header.
const HEADER: usize = 28;
/// No machine has more displays.
const MAX_IMAGES: usize = 64;

/// One image in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfctImage<'a> {
    /// The function it is for; its domain is not told and taken as 0.
    pub address: Address,
    /// That function's ids.
    pub id: FunctionId,
    /// The image.
    pub bytes: &'a [u8],
}

/// The images of a whole table, its header included, in the table's order. A header of length zero ends
/// the list, as nearly every real table has it; so does one that leads behind the table.
pub fn images(table: &[u8]) -> Vec<VfctImage<'_>> {
    let mut found = Vec::new();
    let mut at = u32_at(table, FIRST_IMAGE);
    while let Some(offset) = at.filter(|_| found.len() < MAX_IMAGES) {
        let Some((image, length)) = image(table, offset) else {
            break;
        };
        found.extend(image);
        at = offset.checked_add(HEADER + length);
    }
    found
}

/// The image whose header is at `offset` and its length; no image where the place it names is none that a
/// function can have.
fn image(table: &[u8], offset: usize) -> Option<(Option<VfctImage<'_>>, usize)> {
    let table = table.get(offset..)?;
    let length = u32_at(table, 24).filter(|length| *length > 0)?;
    let bytes = table.get(HEADER..HEADER.checked_add(length)?)?;
    let ids = u32_at(table, 12)?;
    let place = |at, limit: u8| {
        let number = u8::try_from(u32_at(table, at)?).ok()?;
        (number <= limit).then_some(number)
    };
    let address = (place(0, 255), place(4, 31), place(8, 7));
    let (Some(bus), Some(device), Some(function)) = address else {
        return Some((None, length));
    };
    let image = VfctImage {
        address: Address {
            domain: 0,
            bus,
            device,
            function,
        },
        id: FunctionId::new(
            u16::try_from(ids & 0xffff).ok()?,
            u16::try_from(ids >> 16).ok()?,
        ),
        bytes,
    };
    Some((Some(image), length))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<usize> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bus: u32, id: (u16, u16), length: u32, bytes: &[u8]) -> Vec<u8> {
        let mut entry = Vec::new();
        for word in [bus, 0, 0] {
            entry.extend(word.to_le_bytes());
        }
        for word in [id.0, id.1, 0x1458, 0x1000] {
            entry.extend(word.to_le_bytes());
        }
        entry.extend(1_u32.to_le_bytes());
        entry.extend(length.to_le_bytes());
        entry.extend(bytes);
        entry
    }

    fn table(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut table = vec![0; 76];
        table[..4].copy_from_slice(b"VFCT");
        table[FIRST_IMAGE] = 76;
        table.extend(entries.concat());
        table
    }

    #[test]
    fn two_images_are_told_apart_and_a_header_of_length_zero_ends_them() {
        let bytes = table(&[
            entry(5, (0x1002, 0x1638), 4, b"\x55\xaa\x01\x02"),
            entry(1, (0x1002, 0x73bf), 2, b"\x55\xaa"),
            entry(0, (0, 0), 0, b""),
            entry(9, (0x1002, 0x1111), 2, b"no"),
        ]);
        let found = images(&bytes);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].address.to_string(), "0000:05:00.0");
        assert_eq!(found[0].id, FunctionId::new(0x1002, 0x1638));
        assert_eq!(found[0].bytes, b"\x55\xaa\x01\x02");
        assert_eq!(found[1].address.to_string(), "0000:01:00.0");
    }

    #[test]
    fn an_image_that_leads_behind_the_table_ends_the_list() {
        let bytes = table(&[
            entry(5, (0x1002, 0x1638), 2, b"\x55\xaa"),
            entry(1, (0x1002, 0x73bf), 0xffff_ffff, b"short"),
        ]);
        assert_eq!(images(&bytes).len(), 1);
        assert!(images(b"VFCT").is_empty());
    }

    #[test]
    fn an_image_for_no_possible_place_is_passed_over() {
        let bytes = table(&[
            entry(0x100, (0x1002, 0x1638), 2, b"\x55\xaa"),
            entry(1, (0x1002, 0x73bf), 2, b"\x55\xaa"),
        ]);
        assert_eq!(images(&bytes).len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = images(&bytes);
        }

        #[test]
        fn any_entries_are_read_without_panic(bytes in proptest::collection::vec(0_u8..4, 0..400)) {
            let _ = images(&table(&[bytes]));
        }
    }
}
