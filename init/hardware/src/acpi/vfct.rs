use pci::{Address, FunctionId};

use super::header::{Header, TableError, u16_at, u32_at};

/// Offset of the first image header is here, behind the table's header and a UUID (`UEFI_ACPI_VFCT` in
/// drivers/gpu/drm/amd/include/atomfirmware.h).
const FIRST: usize = 0x34;
/// Bytes up to the end of that field.
const FIXED: usize = FIRST + 4;
/// Bytes of the header before each image (`VFCT_IMAGE_HEADER`).
const IMAGE_HEADER: usize = 0x1c;

/// Copies of the video BIOS that AMD's firmware leaves for the driver; of an APU there is no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vfct {
    /// The table's header.
    pub header: Header,
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
        let (header, table) = Header::parse(bytes, "VFCT", FIXED)?;
        let mut problems = header.problems(bytes.len());
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
        Ok(Self {
            header,
            images,
            problems,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::super::header::table;
    use super::*;

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
        table("VFCT", 1, &body)
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

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_give_no_more_than_they_hold(body: Vec<u8>, cut: usize) {
            let bytes = table("VFCT", 1, &body);
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
