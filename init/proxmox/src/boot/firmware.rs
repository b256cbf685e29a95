//! What UEFI firmware is told to start: Boot####, BootOrder, BootNext (UEFI specification 2.10, 3.1.3 Load
//! Options and 10.3 Device Path), and systemd-boot's own variables (systemd.io, The Boot Loader Interface).

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::files::Files;
use crate::reader::Reader;

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const LOADER: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// No boot variable is longer.
const VARIABLE: u64 = 64 << 10;

/// The firmware's boot entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntries {
    /// In the order that they are tried; BootNext first, when it is set.
    pub entries: Vec<BootEntry>,
    /// What systemd-boot was told to start: once, or by default.
    pub loader_choice: Option<String>,
}

/// One Boot#### variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntry {
    /// The four hex digits of its name.
    pub number: u16,
    /// As the firmware's menu shows it.
    pub description: String,
    /// LOAD_OPTION_ACTIVE.
    pub active: bool,
    /// The GPT partition it names, its GUID in lower case.
    pub partition: Option<String>,
    /// The file on it, with backslashes; none where the firmware is to look for the fallback.
    pub file: Option<String>,
}

impl BootEntry {
    /// Reads an EFI_LOAD_OPTION. Fails with the reason.
    pub fn parse(number: u16, bytes: &[u8]) -> Result<Self, String> {
        let cut = || format!("Boot{number:04X} is cut off");
        let attributes = u32_at(bytes, 0).ok_or_else(cut)?;
        let length = usize::from(u16_at(bytes, 4).ok_or_else(cut)?);
        let rest = bytes.get(6..).unwrap_or_default();
        let (description, used) = utf16(rest);
        let path = rest
            .get(used..)
            .and_then(|rest| rest.get(..length))
            .ok_or_else(cut)?;
        let mut entry = Self {
            number,
            description,
            active: attributes & 1 != 0,
            partition: None,
            file: None,
        };
        entry.walk(path);
        Ok(entry)
    }

    fn walk(&mut self, mut path: &[u8]) {
        // Every node has a header of four bytes, so the walk ends.
        while let (Some(&kind), Some(&sub), Some(length)) =
            (path.first(), path.get(1), u16_at(path, 2))
        {
            let length = usize::from(length);
            let Some(node) = path.get(4..length) else {
                return;
            };
            match (kind, sub) {
                (4, 1) if node.get(37) == Some(&2) => {
                    self.partition = node.get(20..36).and_then(guid)
                }
                (4, 4) => {
                    let part = utf16(node).0;
                    self.file.get_or_insert_default().push_str(&part);
                }
                (0x7f, _) => return,
                _ => {}
            }
            path = path.get(length..).unwrap_or_default();
        }
    }
}

/// Reads the variables from efivarfs, mounted at the root of `files`.
pub fn read_boot_entries(files: &dyn Files) -> Reading<BootEntries> {
    let reader = Reader::new(files, "efivars".to_owned());
    let variable = |name: &str, vendor: &str| {
        // efivarfs puts the four bytes of attributes first.
        let bytes = reader.bytes(&format!("/{name}-{vendor}"), VARIABLE);
        bytes.map(|bytes| bytes.get(4..).unwrap_or_default().to_vec())
    };
    variable("BootOrder", GLOBAL).map(|order| {
        let next = variable("BootNext", GLOBAL)
            .known()
            .cloned()
            .unwrap_or_default();
        let numbers = next
            .chunks_exact(2)
            .chain(order.chunks_exact(2))
            .filter_map(|pair| u16_at(pair, 0));
        let entry = |number: u16| {
            let bytes = variable(&format!("Boot{number:04X}"), GLOBAL);
            BootEntry::parse(number, bytes.known()?).ok()
        };
        let loader = |name| {
            let bytes = variable(name, LOADER).known().cloned()?;
            Some(utf16(&bytes).0).filter(|choice| !choice.is_empty())
        };
        BootEntries {
            entries: numbers.filter_map(entry).collect(),
            loader_choice: loader("LoaderEntryOneShot").or_else(|| loader("LoaderEntryDefault")),
        }
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// A text up to its zero, and how many bytes it took with the zero.
fn utf16(bytes: &[u8]) -> (String, usize) {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .filter_map(|pair| u16_at(pair, 0))
        .take_while(|unit| *unit != 0)
        .collect();
    (String::from_utf16_lossy(&units), (units.len() + 1) * 2)
}

/// A GUID as UEFI stores it: the first three fields little-endian.
fn guid(bytes: &[u8]) -> Option<String> {
    let hex = |range: std::ops::Range<usize>, reversed: bool| {
        let mut field = bytes.get(range)?.to_vec();
        if reversed {
            field.reverse();
        }
        Some(
            field
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        )
    };
    Some(format!(
        "{}-{}-{}-{}-{}",
        hex(0..4, true)?,
        hex(4..6, true)?,
        hex(6..8, true)?,
        hex(8..10, false)?,
        hex(10..16, false)?
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::MemoryFiles;

    /// An EFI_LOAD_OPTION for a file on a GPT partition whose GUID is sixteen times the same byte.
    pub(crate) fn load_option(description: &str, partition: u8, file: &str) -> Vec<u8> {
        let utf16 = |text: &str| -> Vec<u8> {
            let units = text.encode_utf16().chain([0]);
            units.flat_map(u16::to_le_bytes).collect()
        };
        let mut path = vec![4, 1, 42, 0];
        path.extend([0; 20]);
        path.extend([partition; 16]);
        path.extend([2, 2]);
        let file = utf16(file);
        path.extend([4, 4]);
        path.extend(u16::try_from(file.len() + 4).unwrap().to_le_bytes());
        path.extend(file);
        path.extend([0x7f, 0xff, 4, 0]);
        let mut option = 1_u32.to_le_bytes().to_vec();
        option.extend(u16::try_from(path.len()).unwrap().to_le_bytes());
        option.extend(utf16(description));
        option.extend(path);
        option
    }

    pub(crate) fn variable(value: &[u8]) -> Vec<u8> {
        [&[7, 0, 0, 0], value].concat()
    }

    #[test]
    fn entries_come_in_boot_order_with_partition_and_file() {
        let files = MemoryFiles::new()
            .file(&format!("BootOrder-{GLOBAL}"), variable(&[1, 0, 0, 0]))
            .file(&format!("BootNext-{GLOBAL}"), variable(&[0, 0]))
            .file(
                &format!("Boot0000-{GLOBAL}"),
                variable(&load_option("proxmox", 0xab, "\\EFI\\proxmox\\shimx64.efi")),
            )
            .file(
                &format!("Boot0001-{GLOBAL}"),
                variable(&load_option(
                    "Linux Boot Manager",
                    1,
                    "\\EFI\\systemd\\systemd-bootx64.efi",
                )),
            );
        let Reading::Known(boot) = read_boot_entries(&files) else {
            panic!("they can be read");
        };
        let numbers: Vec<_> = boot.entries.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [0, 1, 0]);
        assert_eq!(
            boot.entries[0].file.as_deref(),
            Some("\\EFI\\proxmox\\shimx64.efi")
        );
        assert_eq!(
            boot.entries[0].partition.as_deref(),
            Some("abababab-abab-abab-abab-abababababab")
        );
        assert!(boot.entries[1].active);
        assert_eq!(boot.loader_choice, None);
    }

    #[test]
    fn a_machine_without_the_variables_has_none() {
        assert_eq!(read_boot_entries(&MemoryFiles::new()), Reading::Absent);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = BootEntry::parse(0, &bytes);
        }
    }
}
