use hardware::{FirmwareMemory, Reading};
use pci::Address;

use super::Rule;
use super::table_integrity::shortened;
use crate::context::Context;
use crate::iommu::{Reserved, ReservedSource};
use crate::{Finding, FindingId};

const MALFORMED: FindingId = FindingId::new("rmrr.malformed");
const NOT_RESERVED: FindingId = FindingId::new("rmrr.not-reserved");
const UNKNOWN: FindingId = FindingId::new("rmrr.memory-unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[MALFORMED, NOT_RESERVED, UNKNOWN],
    judge,
};

const PAGE: u64 = 4096;

/// Memory that the kernel does not use for itself (arch/x86/include/asm/iommu.h,
/// `arch_rmrr_sanity_check`).
const KEPT_AWAY: &[&str] = &["Reserved", "ACPI Non-volatile Storage"];

/// The kernel's own checks of each range (drivers/iommu/intel/iommu.c, `rmrr_sanity_check`). It warns of a
/// bad one, taints itself, and maps it all the same.
fn judge(ctx: &Context) -> Vec<Finding> {
    let ranges = ctx.iommu.reach.reserved.iter();
    let ranges: Vec<_> = ranges
        .filter(|range| range.source == ReservedSource::Rmrr)
        .collect();
    let (sound, malformed): (Vec<&Reserved>, Vec<_>) =
        ranges.into_iter().partition(|range| is_well_formed(range));
    let mut findings: Vec<_> = malformed
        .into_iter()
        .map(|range| {
            let summary = "The firmware reserves memory for a device with bounds that make no sense: Linux warns \
                           'Your BIOS is broken; bad RMRR'.";
            about(ctx, MALFORMED, range, summary)
        })
        .collect();
    match &ctx.machine.firmware_memory {
        Reading::Known(memory) => {
            findings.extend(
                sound
                    .iter()
                    .filter_map(|range| not_reserved(ctx, memory, range)),
            );
        }
        Reading::Absent | Reading::Unknown(_) if sound.is_empty() => {}
        Reading::Absent => findings.push(memory_unknown("the firmware gives no map of memory")),
        Reading::Unknown(why) => findings.push(memory_unknown(why)),
    }
    findings
}

fn is_well_formed(range: &Reserved) -> bool {
    range.start.is_multiple_of(PAGE) && range.end % PAGE == PAGE - 1 && range.start < range.end
}

fn not_reserved(ctx: &Context, memory: &[FirmwareMemory], range: &Reserved) -> Option<Finding> {
    let in_the_way: Vec<_> = memory
        .iter()
        .filter(|part| part.start <= range.end && range.start <= part.end)
        .collect();
    // Memory in no entry of the map is not used by the kernel either.
    if in_the_way.is_empty() || is_kept_away(&in_the_way, range) {
        return None;
    }
    let summary = "The firmware lets a device write to memory that it does not reserve: the host may use the same \
                   memory, and the device can damage what is there.";
    let lines = in_the_way.iter().map(|part| {
        format!(
            "firmware's map: {:#x}-{:#x} {}",
            part.start, part.end, part.kind
        )
    });
    Some(about(ctx, NOT_RESERVED, range, summary).seen_all(shortened(lines.collect())))
}

/// Whether reserved parts, by ascending address, cover the range without a hole.
fn is_kept_away(memory: &[&FirmwareMemory], range: &Reserved) -> bool {
    let reserved = memory
        .iter()
        .filter(|part| KEPT_AWAY.contains(&part.kind.as_str()));
    let mut next = Some(range.start);
    for part in reserved {
        if let Some(start) = next.filter(|start| (part.start..=part.end).contains(start)) {
            next = part.end.checked_add(1).filter(|_| part.end >= start);
        }
    }
    next.is_none_or(|next| next > range.end)
}

/// A caution about the device that the range is for; where that is not on a card, a note.
fn about(ctx: &Context, id: FindingId, range: &Reserved, summary: &str) -> Finding {
    let on_card = |address: &&Address| ctx.cards.iter().any(|card| card.has(**address));
    let finding = match range.functions.iter().find(on_card) {
        Some(function) => Finding::caution(id, *function, summary),
        None => Finding::note(id, None, summary),
    };
    let functions: Vec<_> = range.functions.iter().map(ToString::to_string).collect();
    let functions = if functions.is_empty() {
        "no function that is here".to_owned()
    } else {
        shortened(functions).join(", ")
    };
    finding
        .seen(format!("{range} for {functions}"))
        .remedy("Update the board's firmware; if its newest version still has this, report it to the maker.")
}

fn memory_unknown(why: &str) -> Finding {
    let summary = "Whether the memory that firmware wants mapped for devices is kept from the host could not be \
                   read.";
    Finding::note(UNKNOWN, None, summary).seen(format!("firmware's map of memory: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::tables::{dmar, endpoint, rmrr, unit};
    use crate::testing::{Builder, GPU, address};

    const USB: &str = "00:14.0";

    fn memory(parts: &[(u64, u64, &str)]) -> Reading<Vec<FirmwareMemory>> {
        let parts = parts.iter().map(|(start, end, kind)| FirmwareMemory {
            start: *start,
            end: *end,
            kind: (*kind).to_owned(),
        });
        Reading::Known(parts.collect())
    }

    fn with_range(start: u64, end: u64, parts: &[(u64, u64, &str)]) -> Builder {
        let range = rmrr(start, end, &[endpoint(0, &[0x14, 0])]);
        let table = dmar(1, &[unit(1, 0xfed9_0000, &[]), range]);
        let mut machine = Builder::good().add(USB, 0x0c_03_30).table("DMAR", table);
        machine.machine.firmware_memory = memory(parts);
        machine
    }

    #[test]
    fn bounds_that_make_no_sense_are_a_caution_about_the_device() {
        for (start, end) in [
            (0x2000, 0x1fff),
            (0x1001, 0x1fff),
            (0x1000, 0x1ffe),
            (0x2fff, 0x1000),
        ] {
            let found = with_range(start, end, &[]).only(&RULE);
            assert_eq!(found.id, "rmrr.malformed", "{start:#x}-{end:#x}");
            assert_eq!(
                (found.severity, found.function),
                (Severity::Caution, Some(address(USB)))
            );
        }
    }

    #[test]
    fn memory_that_the_host_may_use_is_a_caution() {
        for parts in [
            &[(0, 0xffff, "System RAM")][..],
            &[(0, 0x1fff, "Reserved"), (0x3000, 0xffff, "Reserved")],
            &[
                (0x1000, 0x1fff, "Reserved"),
                (0x2000, 0xffff, "ACPI Tables"),
            ],
        ] {
            let found = with_range(0x1000, 0x2fff, parts).only(&RULE);
            assert_eq!(found.id, "rmrr.not-reserved", "{parts:?}");
        }
    }

    #[test]
    fn memory_that_is_reserved_in_one_or_several_parts_or_in_no_map_is_no_finding() {
        for parts in [
            &[(0, 0xffff, "Reserved")][..],
            &[
                (0x1000, 0x1fff, "Reserved"),
                (0x2000, 0x2fff, "ACPI Non-volatile Storage"),
            ],
            &[(0x10000, 0xfffff, "System RAM")],
            &[],
        ] {
            let machine = with_range(0x1000, 0x2fff, parts);
            assert!(machine.findings_of(&RULE).is_empty(), "{parts:?}");
        }
    }

    #[test]
    fn a_map_that_was_not_read_is_a_note_where_there_is_a_range() {
        let mut machine = with_range(0x1000, 0x2fff, &[]);
        machine.machine.firmware_memory = Reading::Unknown("needs root".into());
        assert_eq!(machine.only(&RULE).id, "rmrr.memory-unknown");
        let mut without = Builder::good();
        without.machine.firmware_memory = Reading::Unknown("needs root".into());
        assert!(without.findings_of(&RULE).is_empty());
        assert!(
            without
                .machine
                .functions
                .iter()
                .any(|f| f.address == address(GPU))
        );
    }

    #[test]
    fn a_range_for_a_device_that_is_not_there_is_a_note() {
        let table = dmar(1, &[rmrr(0x1001, 0x2fff, &[endpoint(0, &[0x14, 0])])]);
        let found = Builder::good().table("DMAR", table).only(&RULE);
        assert_eq!((found.severity, found.function), (Severity::Note, None));
    }
}
