//! VFCT, the ACPI table in which AMD's firmware leaves copies of the video BIOS for the driver; of an APU
//! there is no other. Pure; the bytes are firmware's and are taken as hostile.

use pci::{Address, FunctionId};

use crate::acpi::TableError;

/// Bytes of the header that every table begins with (ACPI 6.5, 5.2.6).
const HEADER: usize = 36;
/// Offset of the first image header is here, behind the table's header and a UUID (`UEFI_ACPI_VFCT` in
/// drivers/gpu/drm/amd/include/atomfirmware.h).
const FIRST: usize = 0x34;
/// Bytes up to the end of that field.
const FIXED: usize = FIRST + 4;
/// Bytes of the header before each image (`VFCT_IMAGE_HEADER`).
const IMAGE_HEADER: usize = 0x1c;

/// What a table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vfct {
    /// The images, in the table's order.
    pub images: Vec<VfctImage>,
    /// What is wrong with the table. What stands before it was read.
    pub problems: Vec<String>,
}

/// One image, and the function that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VfctImage {
    /// Where the image itself begins, in bytes from the start of the table.
    pub offset: usize,
    /// The function, as firmware numbered it, in domain 0.
    pub address: Address,
    /// Vendor and device.
    pub id: FunctionId,
    /// Subsystem vendor and device.
    pub subsystem: FunctionId,
    /// Revision as the table has it.
    pub revision: u32,
    /// The image, as much of it as the table has.
    pub rom: Vec<u8>,
}

impl Vfct {
    /// Reads a table. Entries without an image are passed over, as the kernel's driver does.
    ///
    /// # Errors
    /// Only when it is no VFCT table; damage further in is in [`Vfct::problems`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let signature = "VFCT";
        if bytes.len() < FIXED {
            let length = bytes.len();
            return Err(TableError::Short { signature, length });
        }
        if !bytes.starts_with(signature.as_bytes()) {
            let found = String::from_utf8_lossy(bytes.get(..4).unwrap_or_default()).into_owned();
            let wanted = signature;
            return Err(TableError::Signature { wanted, found });
        }
        let (table, mut problems) = whole(bytes);
        let mut images = Vec::new();
        let first = u32_at(table, FIRST).and_then(|first| usize::try_from(first).ok());
        let mut offset = first.unwrap_or(usize::MAX);
        if offset < FIXED || offset > table.len() {
            problems.push(format!(
                "it says that its images begin at offset {offset:#x}"
            ));
            offset = table.len();
        }
        // Every turn goes on by a header at least, so this ends.
        while let Some(rest) = table.get(offset..).filter(|rest| !rest.is_empty()) {
            let Some(length) = u32_at(rest, 0x18).and_then(|length| usize::try_from(length).ok())
            else {
                if rest.iter().any(|byte| *byte != 0) {
                    problems.push(format!("{} stray bytes at offset {offset:#x}", rest.len()));
                }
                break;
            };
            let behind = rest.get(IMAGE_HEADER..).unwrap_or_default();
            let rom = behind.get(..length).unwrap_or(behind);
            offset = offset.saturating_add(IMAGE_HEADER);
            if length > rom.len() {
                problems.push(format!(
                    "the image at offset {offset:#x} says that it has {length} bytes and only {} are \
                     there",
                    rom.len()
                ));
            }
            if length > 0 {
                match image(rest, offset, rom) {
                    Some(image) => images.push(image),
                    None => problems.push(format!(
                        "the image at offset {offset:#x} is for no PCI address"
                    )),
                }
            }
            offset = offset.saturating_add(length);
        }
        Ok(Self { images, problems })
    }
}

/// The bytes as far as the table's own length goes, and what is wrong with the length or the sum. A cut
/// table's sum says nothing.
fn whole(bytes: &[u8]) -> (&[u8], Vec<String>) {
    let says = u32_at(bytes, 4).and_then(|length| usize::try_from(length).ok());
    let says = says.unwrap_or(usize::MAX).max(HEADER);
    let Some(table) = bytes.get(..says) else {
        let there = bytes.len();
        let problem = format!("the table says it is {says} bytes long and only {there} are there");
        return (bytes, vec![problem]);
    };
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let wrong = (sum != 0).then(|| "the checksum is wrong".to_owned());
    (table, wrong.into_iter().collect())
}

fn image(header: &[u8], offset: usize, rom: &[u8]) -> Option<VfctImage> {
    let number = |at, most: u8| {
        let value = u8::try_from(u32_at(header, at)?).ok()?;
        Some(value).filter(|value| *value <= most)
    };
    let id = |at| {
        Some(FunctionId::new(
            u16_at(header, at)?,
            u16_at(header, at + 2)?,
        ))
    };
    Some(VfctImage {
        offset,
        address: Address {
            domain: 0,
            bus: number(0, u8::MAX)?,
            device: number(4, 31)?,
            function: number(8, 7)?,
        },
        id: id(0x0c)?,
        subsystem: id(0x10)?,
        revision: u32_at(header, 0x14)?,
        rom: rom.to_vec(),
    })
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with a good checksum and this behind its header.
    fn table(signature: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = signature.as_bytes().to_vec();
        let length = u32::try_from(HEADER + body.len()).unwrap();
        bytes.extend(length.to_le_bytes());
        bytes.resize(HEADER, b' ');
        bytes.extend(body);
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        bytes[9] = bytes[9].wrapping_sub(sum);
        bytes
    }

    fn entry(bus: u32, device_id: u16, length: u32, rom: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [bus, 0, 0] {
            bytes.extend(number.to_le_bytes());
        }
        for id in [0x1002, device_id, 0x1043, 0x87e1] {
            bytes.extend(id.to_le_bytes());
        }
        bytes.extend(0xc9_u32.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(rom);
        bytes
    }

    fn vfct(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0; 16];
        body.extend(0x4c_u32.to_le_bytes());
        body.resize(40, 0);
        body.extend(entries.concat());
        table("VFCT", &body)
    }

    #[test]
    fn images_are_found_in_any_order_and_an_entry_without_one_is_passed_over() {
        let bytes = vfct(&[
            entry(7, 0x1638, 3, &[1, 2, 3]),
            entry(0, 0, 0, &[]),
            entry(3, 0x67df, 2, &[4, 5]),
            vec![0; 20],
        ]);
        let table = Vfct::parse(&bytes).unwrap();
        assert_eq!(table.problems, [""; 0]);
        let found: Vec<_> = table
            .images
            .iter()
            .map(|image| {
                (
                    image.address.to_string(),
                    image.id.to_string(),
                    image.rom.clone(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (
                    "0000:07:00.0".to_owned(),
                    "1002:1638".to_owned(),
                    vec![1, 2, 3]
                ),
                (
                    "0000:03:00.0".to_owned(),
                    "1002:67df".to_owned(),
                    vec![4, 5]
                ),
            ]
        );
        assert_eq!(table.images[0].offset, 0x4c + 0x1c);
        assert_eq!(table.images[0].subsystem.to_string(), "1043:87e1");
        assert_eq!(table.images[0].revision, 0xc9);
    }

    #[test]
    fn an_image_that_runs_past_the_table_is_given_as_far_as_it_goes_and_named() {
        let table = Vfct::parse(&vfct(&[entry(7, 0x1638, u32::MAX, &[1, 2])])).unwrap();
        assert_eq!(table.images[0].rom, [1, 2]);
        assert!(
            table.problems[0].contains("only 2 are there"),
            "{:?}",
            table.problems
        );
    }

    #[test]
    fn images_for_no_address_or_nowhere_are_named() {
        let table = Vfct::parse(&vfct(&[entry(0x100, 0x1638, 1, &[1])])).unwrap();
        assert!(table.images.is_empty());
        assert!(
            table.problems[0].contains("no PCI address"),
            "{:?}",
            table.problems
        );
        let mut nowhere = vfct(&[]);
        nowhere[FIRST..FIXED].copy_from_slice(&[0xff; 4]);
        assert!(
            Vfct::parse(&nowhere)
                .unwrap()
                .problems
                .iter()
                .any(|problem| problem.contains("begin"))
        );
    }

    #[test]
    fn what_is_no_such_table_or_not_whole_is_said() {
        assert!(Vfct::parse(b"VFCT").is_err());
        assert!(Vfct::parse(&table("DMAR", &[0; 64])).is_err());
        let mut bytes = vfct(&[entry(7, 0x1638, 2, &[1, 2])]);
        bytes[9] ^= 1;
        assert_eq!(
            Vfct::parse(&bytes).unwrap().problems,
            ["the checksum is wrong"]
        );
        bytes.pop();
        let cut = Vfct::parse(&bytes).unwrap();
        assert!(cut.problems[0].contains("only"), "{:?}", cut.problems);
        assert_eq!(cut.images[0].rom, [1]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_give_no_more_than_they_hold(body: Vec<u8>, cut: usize) {
            let bytes = table("VFCT", &body);
            for bytes in [&bytes, &body, &vfct(std::slice::from_ref(&body))] {
                let cut = bytes.get(..cut % (bytes.len() + 1)).unwrap();
                for bytes in [bytes.as_slice(), cut] {
                    if let Ok(table) = Vfct::parse(bytes) {
                        let held: usize = table.images.iter().map(|image| image.rom.len()).sum();
                        assert!(held <= bytes.len());
                    }
                }
            }
        }
    }
}
