use super::entry::DeviceEntry;
use crate::acpi::cursor::Cursor;
use crate::acpi::problem::TableProblem;

/// One IOMMU (AMD IOMMU specification 3.10, 5.2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmdIommu {
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// Its own requester id: bus in the upper byte, device and function in the lower.
    pub device_id: u16,
    /// Address of its registers, from the first block.
    pub register_base: u64,
    /// The blocks that describe it, in the table's order; one of each type at most in an honest table.
    pub blocks: Vec<UnitBlock>,
}

/// One description of an IOMMU (IVHD).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitBlock {
    /// Its type.
    pub kind: BlockKind,
    /// Flags, as they are to be set in the unit's registers.
    pub flags: u8,
    /// Offset of the unit's capability in its configuration space.
    pub capability_offset: u16,
    /// `IOMMU Info`: the number of its interrupt message and of its HyperTransport unit.
    pub info: u16,
    /// `IOMMU Feature Info` of a legacy block, `IOMMU Attributes` of the others.
    pub features: u32,
    /// Image of the extended feature register; none in a legacy block.
    pub extended_features: Option<u64>,
    /// Image of the second extended feature register; none in a legacy block.
    pub extended_features_2: Option<u64>,
    /// The functions and other devices that it is for, in the table's order.
    pub entries: Vec<DeviceEntry>,
}

/// Type of an IVHD block. Software that knows several takes the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockKind {
    /// 0x10.
    Legacy,
    /// 0x11: with the extended feature registers.
    Extended,
    /// 0x40: the same, and may name devices by ACPI ids.
    Mixed,
}

/// Requester ids from the first to the last that a unit translates for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequesterRange {
    /// First requester id.
    pub first: u16,
    /// Last requester id.
    pub last: u16,
    /// The id under which their requests arrive; none when it is their own.
    pub alias: Option<u16>,
}

impl BlockKind {
    pub(super) fn of(kind: u16) -> Option<Self> {
        match kind {
            0x10 => Some(Self::Legacy),
            0x11 => Some(Self::Extended),
            0x40 => Some(Self::Mixed),
            _ => None,
        }
    }
}

/// Segment and register base of a block.
pub(super) type Place = (u16, u64);

impl AmdIommu {
    /// The block that the kernel goes by: the first of the highest type.
    pub fn best(&self) -> Option<&UnitBlock> {
        let best = self.blocks.iter().map(|block| block.kind).max()?;
        self.blocks.iter().find(|block| block.kind == best)
    }

    pub(super) fn merge(units: &mut Vec<Self>, device_id: u16, place: Place, block: UnitBlock) {
        let (segment, register_base) = place;
        let known = units
            .iter_mut()
            .find(|unit| (unit.segment, unit.device_id) == (segment, device_id));
        match known {
            Some(unit) => unit.blocks.push(block),
            None => units.push(Self {
                segment,
                device_id,
                register_base,
                blocks: vec![block],
            }),
        }
    }
}

impl UnitBlock {
    pub(super) fn read(
        kind: BlockKind,
        flags: u8,
        cursor: &mut Cursor,
        problems: &mut Vec<TableProblem>,
    ) -> Option<(Place, Self)> {
        let capability_offset = cursor.u16("Capability Offset")?;
        let register_base = cursor.u64("IOMMU Base Address")?;
        let segment = cursor.u16("PCI Segment Group")?;
        let info = cursor.u16("IOMMU Info")?;
        let (features, extended) = if kind == BlockKind::Legacy {
            (cursor.u32("IOMMU Feature Info")?, None)
        } else {
            let attributes = cursor.u32("IOMMU Attributes")?;
            let first = cursor.u64("EFR Register Image")?;
            let second = cursor.u64("EFR Register 2 Image")?;
            (attributes, Some((first, second)))
        };
        let block = Self {
            kind,
            flags,
            capability_offset,
            info,
            features,
            extended_features: extended.map(|(first, _)| first),
            extended_features_2: extended.map(|(_, second)| second),
            entries: DeviceEntry::list(cursor, problems),
        };
        Some(((segment, register_base), block))
    }

    /// The requester ids that the entries stand for, in the table's order. A range without its end, or
    /// the other way round, stands for nothing, as in the kernel (drivers/iommu/amd/init.c,
    /// `init_iommu_from_acpi`).
    pub fn ranges(&self) -> Vec<RequesterRange> {
        let mut ranges = Vec::new();
        let mut open: Option<(u16, Option<u16>)> = None;
        for entry in &self.entries {
            let (first, last, alias) = match *entry {
                DeviceEntry::All { .. } => (0, u16::MAX, None),
                DeviceEntry::Select { id, .. }
                | DeviceEntry::ExtendedSelect { id, .. }
                | DeviceEntry::AcpiDevice { id, .. } => (id, id, None),
                DeviceEntry::AliasSelect { id, source, .. } => (id, id, Some(source)),
                DeviceEntry::Special { source, .. } => (source, source, None),
                DeviceEntry::RangeStart { id, .. } | DeviceEntry::ExtendedRangeStart { id, .. } => {
                    open = Some((id, None));
                    continue;
                }
                DeviceEntry::AliasRangeStart { id, source, .. } => {
                    open = Some((id, Some(source)));
                    continue;
                }
                DeviceEntry::RangeEnd { id } => match open.take() {
                    Some((first, alias)) => (first, id, alias),
                    None => continue,
                },
                DeviceEntry::Padding | DeviceEntry::Unknown { .. } => continue,
            };
            ranges.push(RequesterRange { first, last, alias });
        }
        ranges
    }
}
