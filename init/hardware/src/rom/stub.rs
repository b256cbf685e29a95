use pci::{Address, FunctionId};

use super::owner::{Named, owner, remark};
use super::{Progress, RomReading, RomSource, twice};
use crate::tree::Tree;
use crate::{Function, Reading};

/// A folder for each item that the boot loader or the EFI stub handed over (arch/x86/kernel/ksysfs.c).
const SETUP_DATA: &str = "kernel/boot_params/setup_data";
/// `SETUP_PCI` (arch/x86/include/uapi/asm/setup_data.h).
const PCI: u64 = 3;
/// Bytes before the ROM: `struct pci_setup_rom` without the list's own header.
const HEADER: usize = 48;
/// Many more than a machine has ROMs, and many fewer than would take long.
const MOST: usize = 256;
/// All of them together: a copy of another machine can say anything.
const TOTAL_LIMIT: usize = 64 << 20;

/// One ROM that the kernel's EFI stub kept (`preserve_pci_rom_image` in
/// drivers/firmware/efi/libstub/x86-stub.c).
#[derive(Debug, PartialEq, Eq)]
struct StubRom {
    named: Named,
    rom: Vec<u8>,
}

impl StubRom {
    /// Reads one item's data.
    ///
    /// # Errors
    /// In words, when a field is missing or cannot be.
    fn parse(data: &[u8]) -> Result<Self, String> {
        let header = data
            .get(..HEADER)
            .ok_or_else(|| format!("{} bytes are too short for a PCI ROM", data.len()))?;
        let id = |offset| field::<2>(header, offset).map(u16::from_le_bytes);
        let number = |offset| field::<8>(header, offset).map(u64::from_le_bytes);
        let small = |offset, most: u8| {
            let value = number(offset).and_then(|value| u8::try_from(value).ok());
            value.filter(|value| *value <= most)
        };
        let address = || {
            Some(Address {
                domain: u32::try_from(number(16)?).ok()?,
                bus: small(24, u8::MAX)?,
                device: small(32, 31)?,
                function: small(40, 7)?,
            })
        };
        let named = Named {
            address: address().ok_or("its segment, bus, device and function are no PCI address")?,
            id: FunctionId::new(
                id(0).ok_or("it names no vendor")?,
                id(2).ok_or("it names no device")?,
            ),
            subsystem: None,
        };
        let rest = data.get(HEADER..).unwrap_or_default();
        let length = number(8).and_then(|length| usize::try_from(length).ok());
        let rom = length.and_then(|length| rest.get(..length)).unwrap_or(rest);
        Ok(Self {
            named,
            rom: rom.to_vec(),
        })
    }
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// Every ROM that the EFI stub kept, also of functions that are not there now.
pub(super) fn read(
    sys: &Tree,
    functions: &[Function],
    progress: &mut dyn FnMut(Progress),
) -> Vec<RomReading> {
    // No folder: a start by BIOS, or a boot loader that passes the EFI stub over.
    let mut names = sys.list(SETUP_DATA).unwrap_or_default();
    names.sort_by_key(|name| (name.len(), name.clone()));
    let mut found = Vec::new();
    let mut left = TOTAL_LIMIT;
    for name in names.iter().take(MOST) {
        match item(sys, name, left.min(twice::LIMIT)) {
            Ok(Some(rom)) => {
                left = left.saturating_sub(rom.rom.len());
                found.push((name, rom));
            }
            Ok(None) => {}
            Err(why) => progress(Progress::Note(format!(
                "{} is no ROM that could be read: {why}",
                sys.name(&format!("{SETUP_DATA}/{name}"))
            ))),
        }
    }
    let all: Vec<Named> = found.iter().map(|(_, rom)| rom.named).collect();
    let reading = |(name, rom): (&String, StubRom)| {
        let address = owner(functions, &rom.named, &all);
        let path = sys.name(&format!("{SETUP_DATA}/{name}/data"));
        RomReading {
            address,
            id: Some(rom.named.id),
            source: RomSource::EfiStub,
            place: format!("{path}{}", remark(&rom.named, address)),
            taint: None,
            bytes: twice::judge(rom.rom.clone(), &rom.rom),
            not_restored: Vec::new(),
        }
    };
    found.into_iter().map(reading).collect()
}

/// The ROM in one item; none when it is something else.
fn item(sys: &Tree, name: &str, limit: usize) -> Result<Option<StubRom>, String> {
    let path = |file: &str| format!("{SETUP_DATA}/{name}/{file}");
    let kind = match sys.read_text(&path("type")) {
        Reading::Known(text) => text,
        Reading::Absent => return Ok(None),
        Reading::Unknown(why) => return Err(why.into_owned()),
    };
    let digits = kind.trim().trim_start_matches("0x");
    if u64::from_str_radix(digits, 16) != Ok(PCI) {
        return Ok(None);
    }
    let data = path("data");
    let bytes = twice::read(|| sys.all_bytes(&data, HEADER + limit))
        .map_err(|failure| failure.to_string())?;
    StubRom::parse(&bytes).map(Some)
}

#[cfg(test)]
#[path = "stub_tests.rs"]
mod tests;
