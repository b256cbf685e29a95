use hardware::Function;
use hardware::acpi::{Ivrs, MemoryDefinition, RequesterRange};
use pci::Address;

use super::{Coverage, Reach, Reserved, ReservedSource, Unit};

const PAGE: u64 = 4096;

/// What an IVRS says about these functions, by the kernel's rules (drivers/iommu/amd/init.c).
pub(super) fn reach(ivrs: &Ivrs, functions: &[Function]) -> Reach {
    let ranges: Vec<Vec<RequesterRange>> = ivrs
        .units
        .iter()
        .map(|unit| unit.best().map(|block| block.ranges()).unwrap_or_default())
        .collect();
    let mut addresses: Vec<_> = functions.iter().map(|function| function.address).collect();
    addresses.sort_unstable();
    Reach {
        units: ivrs
            .units
            .iter()
            .zip(&ranges)
            .map(|(unit, ranges)| Unit {
                segment: unit.segment,
                register_base: unit.register_base,
                takes_the_rest: ranges
                    .iter()
                    .any(|range| (range.first, range.last) == (0, u16::MAX)),
            })
            .collect(),
        coverage: addresses
            .iter()
            .map(|address| (*address, coverage(ivrs, &ranges, *address)))
            .collect(),
        reserved: ivrs
            .memory
            .iter()
            .filter_map(|memory| reserved(memory, &addresses))
            .collect(),
        ..Reach::default()
    }
}

/// The last unit that has the function's requester id: later entries overwrite earlier ones
/// (`set_dev_entry_from_acpi`).
fn coverage(ivrs: &Ivrs, ranges: &[Vec<RequesterRange>], address: Address) -> Coverage {
    let id = requester_id(address);
    let has = |ranges: &Vec<RequesterRange>| {
        ranges
            .iter()
            .any(|range| (range.first..=range.last).contains(&id))
    };
    let found = ivrs
        .units
        .iter()
        .zip(ranges)
        .rposition(|(unit, ranges)| u32::from(unit.segment) == address.domain && has(ranges));
    found.map_or(Coverage::Nothing, Coverage::Unit)
}

/// A definition that the kernel maps one to one, in whole pages (`init_unity_map_range`).
fn reserved(memory: &MemoryDefinition, addresses: &[Address]) -> Option<Reserved> {
    if !memory.flags.is_mapped() {
        return None;
    }
    let start = memory.base.checked_next_multiple_of(PAGE)?;
    let length = memory.length.checked_next_multiple_of(PAGE)?;
    let end = start.checked_add(length.checked_sub(1)?)?;
    let is_meant = |address: &&Address| {
        address.domain == u32::from(memory.segment)
            && memory.requesters.has(requester_id(**address))
    };
    Some(Reserved {
        start,
        end,
        source: ReservedSource::Ivmd,
        functions: addresses.iter().filter(is_meant).copied().collect(),
    })
}

/// Bus in the upper byte, device and function in the lower.
fn requester_id(address: Address) -> u16 {
    u16::from_be_bytes([address.bus, address.device << 3 | address.function])
}
