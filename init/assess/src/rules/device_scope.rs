use std::collections::{BTreeMap, BTreeSet};

use pci::Address;

use super::Rule;
use super::table_integrity::shortened;
use crate::context::Context;
use crate::iommu::Resolved;
use crate::{Finding, FindingId};

const MISSING: FindingId = FindingId::new("iommu.scope-missing");
const TYPE: FindingId = FindingId::new("iommu.scope-type");
const TWICE: FindingId = FindingId::new("iommu.scope-twice");

pub(super) const RULE: Rule = Rule {
    ids: &[MISSING, TYPE, TWICE],
    judge,
};

const UPDATE: &str = "Update the board's firmware.";

/// What a DMAR names and how that fits this machine, by the kernel's rules (drivers/iommu/intel/dmar.c,
/// `dmar_insert_dev_scope`).
fn judge(ctx: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(missing(ctx));
    findings.extend(of_other_type(ctx));
    findings.extend(twice(ctx));
    findings
}

fn missing(ctx: &Context) -> Option<Finding> {
    let scopes = ctx.iommu.reach.scopes.iter();
    let lines: Vec<_> = scopes
        .filter(|scope| scope.resolved == Resolved::Missing)
        .map(|scope| {
            format!(
                "DMAR, {}: {} is not on this machine",
                scope.holder, scope.path
            )
        })
        .collect();
    let summary = "The firmware's table names devices that are not there: switched off in its setup, hidden, \
                   or left over from another board.";
    (!lines.is_empty()).then(|| {
        Finding::note(MISSING, None, summary)
            .seen_all(shortened(lines))
            .remedy("Nothing needs to be done: Linux passes such entries over.")
    })
}

fn of_other_type(ctx: &Context) -> impl Iterator<Item = Finding> {
    let mut by_function: BTreeMap<Address, Vec<String>> = BTreeMap::new();
    for scope in &ctx.iommu.reach.scopes {
        if let Resolved::OtherType(address) = scope.resolved {
            let line = format!("DMAR, {}: {}", scope.holder, scope.path);
            by_function.entry(address).or_default().push(line);
        }
    }
    let summary = "The firmware's table takes this device for a bridge, or a bridge for a device: Linux passes \
                   the entry over, so another IOMMU unit may stand in, or reserved memory go unseen.";
    by_function.into_iter().map(move |(address, lines)| {
        Finding::caution(TYPE, address, summary)
            .seen_all(shortened(lines))
            .remedy(UPDATE)
    })
}

fn twice(ctx: &Context) -> Vec<Finding> {
    let mut units_of: BTreeMap<Address, BTreeSet<usize>> = BTreeMap::new();
    for scope in &ctx.iommu.reach.scopes {
        if let (Resolved::Function(address), Some(unit)) = (&scope.resolved, scope.unit) {
            units_of.entry(*address).or_default().insert(unit);
        }
    }
    let registers = |unit: &usize| {
        let unit = ctx.iommu.reach.units.get(*unit);
        unit.map_or_else(String::new, |unit| format!("{:#x}", unit.register_base))
    };
    let summary = "The firmware's table puts this function under two IOMMU units; Linux goes by the last one.";
    let several = units_of.into_iter().filter(|(_, units)| units.len() > 1);
    several
        .map(|(address, units)| {
            let units: Vec<_> = units.iter().map(registers).collect();
            Finding::note(TWICE, address, summary)
                .seen(format!(
                    "DMAR: the units at {}",
                    shortened(units).join(", ")
                ))
                .remedy(UPDATE)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::tables::{dmar, endpoint, scope, unit};
    use crate::testing::{Builder, GPU, address};

    fn with_units(units: &[Vec<u8>]) -> Builder {
        Builder::good().table("DMAR", dmar(1, units))
    }

    #[test]
    fn a_device_that_is_not_there_is_a_note() {
        let found = with_units(&[unit(0, 0xfed9_0000, &[endpoint(0, &[2, 0])])]).only(&RULE);
        assert_eq!(found.id, "iommu.scope-missing");
        assert_eq!(
            found.evidence,
            ["DMAR, unit at 0xfed90000: 0000:00:02.0 is not on this machine"]
        );
    }

    #[test]
    fn the_card_taken_for_a_bridge_is_a_caution_about_it() {
        let found =
            with_units(&[unit(0, 0xfed9_0000, &[scope(2, 0, 0, &[1, 0, 0, 0])])]).only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("iommu.scope-type", Severity::Caution)
        );
        assert_eq!(found.function, Some(address(GPU)));
    }

    #[test]
    fn a_function_under_two_units_is_named_with_both() {
        let card = || endpoint(0, &[1, 0, 0, 0]);
        let found = with_units(&[
            unit(0, 0xfed9_0000, &[card()]),
            unit(1, 0xfed9_1000, &[card()]),
        ])
        .only(&RULE);
        assert_eq!(found.id, "iommu.scope-twice");
        assert_eq!(
            found.evidence,
            ["DMAR: the units at 0xfed90000, 0xfed91000"]
        );
    }

    #[test]
    fn what_fits_and_what_cannot_be_told_is_no_finding() {
        let named = [
            endpoint(0, &[1, 0, 0, 0]),
            scope(3, 2, 0xf0, &[0x1f, 0]),
            // Twice in one unit says no more than once.
            endpoint(0, &[1, 0, 0, 0]),
        ];
        assert!(
            with_units(&[unit(0, 0xfed9_0000, &named)])
                .findings_of(&RULE)
                .is_empty()
        );
        let gap = with_units(&[unit(0, 0xfed9_0000, &[endpoint(0, &[2, 0])])]).change(GPU, |gpu| {
            gpu.parent = hardware::Reading::Unknown("not copied".into())
        });
        assert!(gap.findings_of(&RULE).is_empty());
    }
}
