use crate::acpi::cursor::Cursor;
use crate::acpi::problem::TableProblem;

/// One device entry of a block (AMD IOMMU specification 3.10, 5.2.2.3 and on). Ids are requester ids: bus in
/// the upper byte, device and function in the lower. `settings` is the data setting byte, which says which
/// interrupts pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEntry {
    /// 0x00: four bytes of padding.
    Padding,
    /// 0x01: every requester.
    All {
        /// Data setting.
        settings: u8,
    },
    /// 0x02: one requester.
    Select {
        /// It.
        id: u16,
        /// Data setting.
        settings: u8,
    },
    /// 0x03: the first of a range.
    RangeStart {
        /// It.
        id: u16,
        /// Data setting.
        settings: u8,
    },
    /// 0x04: the last of a range.
    RangeEnd {
        /// It.
        id: u16,
    },
    /// 0x42: one requester whose requests arrive under another's id.
    AliasSelect {
        /// It.
        id: u16,
        /// The other.
        source: u16,
        /// Data setting.
        settings: u8,
    },
    /// 0x43: the first of a range whose requests arrive under another's id.
    AliasRangeStart {
        /// It.
        id: u16,
        /// The other.
        source: u16,
        /// Data setting.
        settings: u8,
    },
    /// 0x46: one requester, with more settings.
    ExtendedSelect {
        /// It.
        id: u16,
        /// Data setting.
        settings: u8,
        /// Extended data setting.
        extended: u32,
    },
    /// 0x47: the first of a range, with more settings.
    ExtendedRangeStart {
        /// It.
        id: u16,
        /// Data setting.
        settings: u8,
        /// Extended data setting.
        extended: u32,
    },
    /// 0x48: an IOAPIC or HPET.
    Special {
        /// What it is.
        device: SpecialDevice,
        /// APIC id of an IOAPIC, number of an HPET.
        handle: u8,
        /// The id under which its requests arrive.
        source: u16,
        /// Data setting.
        settings: u8,
    },
    /// 0xF0: a device of the ACPI namespace.
    AcpiDevice {
        /// The id under which its requests arrive.
        id: u16,
        /// Data setting.
        settings: u8,
        /// `_HID`.
        hardware_id: String,
        /// `_CID`; empty when it has none.
        compatible_id: String,
        /// `_UID`.
        unique_id: AcpiUid,
    },
    /// A type that this version does not know, passed over by its length.
    Unknown {
        /// The type; its upper two bits give the length.
        kind: u8,
    },
}

/// What a special entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialDevice {
    /// Variety 1.
    IoApic,
    /// Variety 2.
    Hpet,
    /// A variety that the specification reserves.
    Other(u8),
}

/// `_UID` of an ACPI device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcpiUid {
    /// Format 0: it has none.
    Absent,
    /// Format 1.
    Number(u64),
    /// Format 2.
    Text(String),
    /// A format that the specification reserves, or a number of another length than eight bytes.
    Other(Vec<u8>),
}

const ACPI_DEVICE: u8 = 0xf0;
/// Where an ACPI device's entry has the length of its `_UID`, and where the `_UID` itself begins.
const UID_LENGTH: usize = 21;
const UID: usize = 22;

/// Length in bytes of the entry that a cursor stands at: by the upper two bits of its type, but for the one
/// of variable length.
fn length(cursor: &Cursor) -> Option<(u8, usize)> {
    let kind = cursor.peek(0)?;
    let length = match kind {
        ACPI_DEVICE => UID + usize::from(cursor.peek(UID_LENGTH).unwrap_or(0)),
        _ => 4 << (kind >> 6),
    };
    Some((kind, length))
}

impl DeviceEntry {
    /// All entries up to the end of the block.
    pub(super) fn list(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Vec<Self> {
        let mut entries = Vec::new();
        let mut open = None;
        while let Some((kind, length)) = length(cursor) {
            let offset = cursor.offset();
            let Some(entry) = cursor
                .part(length)
                .and_then(|mut part| Self::read(&mut part))
            else {
                problems.push(TableProblem::Length {
                    kind: kind.into(),
                    offset,
                    length,
                });
                return entries;
            };
            let alone = match entry {
                Self::RangeStart { .. }
                | Self::AliasRangeStart { .. }
                | Self::ExtendedRangeStart { .. } => open.replace(offset),
                Self::RangeEnd { .. } if open.take().is_none() => Some(offset),
                _ => None,
            };
            problems.extend(alone.map(|offset| TableProblem::HalfRange { offset }));
            entries.push(entry);
        }
        problems.extend(open.map(|offset| TableProblem::HalfRange { offset }));
        entries
    }

    fn read(cursor: &mut Cursor) -> Option<Self> {
        let kind = cursor.u8("Entry Type")?;
        let id = cursor.u16("DeviceID")?;
        let settings = cursor.u8("Data Setting")?;
        Some(match kind {
            0x00 => Self::Padding,
            0x01 => Self::All { settings },
            0x02 => Self::Select { id, settings },
            0x03 => Self::RangeStart { id, settings },
            0x04 => Self::RangeEnd { id },
            0x42 | 0x43 => {
                cursor.u8("Reserved")?;
                let source = cursor.u16("Source DeviceID")?;
                cursor.u8("Reserved")?;
                if kind == 0x42 {
                    Self::AliasSelect {
                        id,
                        source,
                        settings,
                    }
                } else {
                    Self::AliasRangeStart {
                        id,
                        source,
                        settings,
                    }
                }
            }
            0x46 | 0x47 => {
                let extended = cursor.u32("Extended Data Setting")?;
                if kind == 0x46 {
                    Self::ExtendedSelect {
                        id,
                        settings,
                        extended,
                    }
                } else {
                    Self::ExtendedRangeStart {
                        id,
                        settings,
                        extended,
                    }
                }
            }
            0x48 => {
                let handle = cursor.u8("Handle")?;
                let source = cursor.u16("Source DeviceID")?;
                let device = match cursor.u8("Variety")? {
                    1 => SpecialDevice::IoApic,
                    2 => SpecialDevice::Hpet,
                    other => SpecialDevice::Other(other),
                };
                Self::Special {
                    device,
                    handle,
                    source,
                    settings,
                }
            }
            ACPI_DEVICE => Self::AcpiDevice {
                id,
                settings,
                hardware_id: cursor.text("Hardware ID", 8)?,
                compatible_id: cursor.text("Compatible ID", 8)?,
                unique_id: AcpiUid::read(cursor)?,
            },
            _ => {
                cursor.bytes("Entry of unknown type", cursor.left())?;
                Self::Unknown { kind }
            }
        })
    }
}

impl AcpiUid {
    fn read(cursor: &mut Cursor) -> Option<Self> {
        let format = cursor.u8("Unique ID Format")?;
        let length = usize::from(cursor.u8("Unique ID Length")?);
        Some(match (format, length) {
            (0, 0) => Self::Absent,
            (1, 8) => Self::Number(cursor.u64("Unique ID")?),
            (2, _) => Self::Text(cursor.text("Unique ID", length)?),
            _ => Self::Other(cursor.bytes("Unique ID", length)?.to_vec()),
        })
    }
}
