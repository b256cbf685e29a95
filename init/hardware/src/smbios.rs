//! The SMBIOS table, as far as it speaks of slots (System Management BIOS reference specification 3.7,
//! DSP0134). Pure; the bytes are firmware's and are taken as hostile.

use pci::Address;
use serde::{Deserialize, Serialize};

/// Type, length and handle: a structure that says it is shorter makes no sense.
const HEADER: usize = 4;
const SYSTEM_SLOTS: u8 = 9;
const END_OF_TABLE: u8 = 127;
/// No board has more slots; what lists more is damaged.
const MAX_SLOTS: usize = 1024;

/// A slot as the board's firmware lists it (SMBIOS type 9), empty ones included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardSlot {
    /// Its name on the board: `PCIEX16_1`, `M2_1`.
    pub designation: String,
    /// Lanes that the slot's connector or wiring has; absent for conventional PCI and where firmware does
    /// not say.
    pub lanes: Option<u8>,
    /// Whether something is in it.
    pub usage: SlotUsage,
    /// Where the slot is. Firmware gives either the function in the slot or the port above it; absent
    /// where it gives neither, or the same address for several slots.
    pub address: Option<Address>,
}

/// Current usage of a slot (7.10.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotUsage {
    /// Nothing is in it.
    Available,
    /// Something is in it.
    InUse,
    /// It cannot be used, for example because its lanes are given to another slot.
    Unavailable,
    /// Firmware does not say.
    Unknown,
}

/// The slots of a whole SMBIOS structure table (/sys/firmware/dmi/tables/DMI), in its order.
///
/// # Errors
/// Why nothing in it can be trusted: the bytes do not begin with a structure.
pub fn board_slots(table: &[u8]) -> Result<Vec<BoardSlot>, String> {
    let mut slots = Vec::new();
    let mut rest = table;
    let mut first = true;
    while let Some((structure, behind)) = Structure::split(rest) {
        first = false;
        if structure.kind == END_OF_TABLE || slots.len() >= MAX_SLOTS {
            break;
        }
        if structure.kind == SYSTEM_SLOTS {
            slots.extend(structure.slot());
        }
        rest = behind;
    }
    if first {
        return Err("the SMBIOS table does not begin with a structure".to_owned());
    }
    forget_shared_addresses(&mut slots);
    Ok(slots)
}

/// Some firmware writes one address, mostly 00:00.0, into every slot.
fn forget_shared_addresses(slots: &mut [BoardSlot]) {
    let all: Vec<Address> = slots.iter().filter_map(|slot| slot.address).collect();
    for slot in slots {
        let count = all.iter().filter(|address| slot.address == Some(**address));
        if count.count() > 1 {
            slot.address = None;
        }
    }
}

/// One structure: its formatted part, header included, and its strings.
struct Structure<'a> {
    kind: u8,
    formatted: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Structure<'a> {
    /// The first structure, and what follows it. Its strings end with two zeros (6.1.3).
    fn split(table: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (kind, length) = (*table.first()?, usize::from(*table.get(1)?));
        if length < HEADER {
            return None;
        }
        let (formatted, behind) = table.split_at_checked(length)?;
        let end = behind.windows(2).position(|pair| pair == [0, 0])?;
        let (strings, behind) = behind.split_at_checked(end + 2)?;
        let structure = Self {
            kind,
            formatted,
            strings,
        };
        Some((structure, behind))
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        self.formatted.get(offset).copied()
    }

    /// The string with the number at `offset`; numbers count from one, zero is none.
    fn string(&self, offset: usize) -> Option<String> {
        let number = usize::from(self.byte(offset)?).checked_sub(1)?;
        let bytes = self.strings.split(|byte| *byte == 0).nth(number)?;
        let text = String::from_utf8_lossy(bytes).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn slot(&self) -> Option<BoardSlot> {
        Some(BoardSlot {
            designation: self.string(0x04)?,
            lanes: self.byte(0x06).and_then(lanes),
            usage: match self.byte(0x07) {
                Some(3) => SlotUsage::Available,
                Some(4) => SlotUsage::InUse,
                Some(5) => SlotUsage::Unavailable,
                _ => SlotUsage::Unknown,
            },
            address: self.address(),
        })
    }

    /// Segment, bus and device/function, from SMBIOS 2.6 on; all ones, or the host bridge's place, say that
    /// there is none (7.10.8).
    fn address(&self) -> Option<Address> {
        let segment = u16::from_le_bytes([self.byte(0x0d)?, self.byte(0x0e)?]);
        let (bus, place) = (self.byte(0x0f)?, self.byte(0x10)?);
        let is_none = (bus, place) == (0xff, 0xff) || (segment, bus, place) == (0, 0, 0);
        (!is_none).then(|| Address {
            domain: u32::from(segment),
            bus,
            device: place >> 3,
            function: place & 7,
        })
    }
}

/// Slot data bus width (7.10.2).
fn lanes(width: u8) -> Option<u8> {
    const LANES: &[(u8, u8)] = &[
        (0x08, 1),
        (0x09, 2),
        (0x0a, 4),
        (0x0b, 8),
        (0x0c, 12),
        (0x0d, 16),
        (0x0e, 32),
    ];
    let entry = LANES.iter().find(|(code, _)| *code == width);
    entry.map(|(_, lanes)| *lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type 9 structure of SMBIOS 2.6.
    fn slot(name: &str, width: u8, usage: u8, segment: u16, bus: u8, place: u8) -> Vec<u8> {
        let mut bytes = vec![SYSTEM_SLOTS, 0x11, 0x00, 0x09, 1, 0xa5, width, usage, 4];
        bytes.extend([0, 0, 0, 0]);
        bytes.extend(segment.to_le_bytes());
        bytes.extend([bus, place]);
        bytes.extend(name.as_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    fn other() -> Vec<u8> {
        let mut bytes = vec![1, 6, 0x00, 0x01, 1, 2];
        bytes.extend(b"Maker\0Product\0\0");
        bytes
    }

    fn end() -> Vec<u8> {
        vec![END_OF_TABLE, 4, 0xff, 0xff, 0, 0]
    }

    #[test]
    fn slots_are_found_between_other_structures_with_what_firmware_says_of_them() {
        let table = [
            other(),
            slot("PCIEX16_1", 0x0d, 4, 0, 0, 0x09),
            slot("PCIEX1_1 ", 0x08, 3, 0, 0xff, 0xff),
            end(),
            slot("behind the end", 0x08, 3, 0, 7, 0),
        ]
        .concat();
        let found = board_slots(&table).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].designation, "PCIEX16_1");
        assert_eq!(found[0].lanes, Some(16));
        assert_eq!(found[0].usage, SlotUsage::InUse);
        assert_eq!(found[0].address.unwrap().to_string(), "0000:00:01.1");
        assert_eq!(found[1].designation, "PCIEX1_1");
        assert_eq!(
            (found[1].usage, found[1].address),
            (SlotUsage::Available, None)
        );
    }

    #[test]
    fn slots_as_qemu_writes_them_are_read() {
        let mut table = Vec::new();
        for name in ["PCIEX16_1", "PCIEX1_1"] {
            let is_first = table.is_empty();
            table.extend([9, 17, u8::from(!is_first), 9, 1, 0xa5]);
            table.extend(if is_first { [0x0d, 4, 4] } else { [8, 3, 3] });
            table.extend([1, 0, 0, 0, 0xff, 0, 0xff, 0xff]);
            table.extend(name.as_bytes());
            table.extend([0, 0]);
        }
        table.extend([0x7f, 4, 0, 0x7f, 0, 0]);
        let found = board_slots(&table).unwrap();
        let said: Vec<_> = found
            .iter()
            .map(|slot| {
                (
                    slot.designation.as_str(),
                    slot.lanes,
                    slot.usage,
                    slot.address,
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                ("PCIEX16_1", Some(16), SlotUsage::InUse, None),
                ("PCIEX1_1", Some(1), SlotUsage::Available, None),
            ]
        );
    }

    #[test]
    fn an_address_that_several_slots_claim_is_none() {
        let table = [
            slot("A", 0x0d, 4, 0, 1, 0),
            slot("B", 0x0d, 4, 0, 1, 0),
            slot("C", 0x0d, 4, 0, 2, 0),
        ]
        .concat();
        let found = board_slots(&table).unwrap();
        let known: Vec<bool> = found.iter().map(|slot| slot.address.is_some()).collect();
        assert_eq!(known, [false, false, true]);
    }

    #[test]
    fn a_slot_of_an_old_version_has_no_address_and_one_without_a_name_is_left_out() {
        let mut old = vec![SYSTEM_SLOTS, 0x0d, 0, 9, 1, 6, 5, 3, 4, 0, 0, 0, 0];
        old.extend(b"PCI1\0\0");
        let mut nameless = old.clone();
        nameless[4] = 0;
        let found = board_slots(&[old, nameless].concat()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].lanes, found[0].address), (None, None));
    }

    #[test]
    fn a_cut_table_gives_the_slots_before_the_cut() {
        let whole = [slot("A", 0x0d, 4, 0, 1, 0), slot("B", 0x0d, 4, 0, 2, 0)].concat();
        let cut = &whole[..whole.len() - 3];
        assert_eq!(board_slots(cut).unwrap().len(), 1);
        assert!(board_slots(&[]).is_err());
        assert!(board_slots(&[9, 0, 0, 0]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = board_slots(&bytes);
        }

        #[test]
        fn a_table_of_slots_is_read_back(
            slots in proptest::collection::vec(("[A-Z0-9_]{1,12}", 1_u8..15, 1_u8..6), 0..20),
        ) {
            let mut table = other();
            for (name, width, usage) in &slots {
                table.extend(slot(name, *width, *usage, 0, 0xff, 0xff));
            }
            table.extend(end());
            let names: Vec<String> = board_slots(&table)
                .unwrap_or_default()
                .into_iter()
                .map(|slot| slot.designation)
                .collect();
            let given: Vec<String> = slots.into_iter().map(|(name, _, _)| name).collect();
            proptest::prop_assert_eq!(names, given);
        }
    }
}
