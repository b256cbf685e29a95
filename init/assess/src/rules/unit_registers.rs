use std::collections::BTreeMap;

use super::Rule;
use super::table_integrity::shortened;
use crate::context::Context;
use crate::{Answer, Finding, FindingId, Severity};

const REGISTERS: FindingId = FindingId::new("iommu.unit-registers");

pub(super) const RULE: Rule = Rule {
    ids: &[REGISTERS],
    judge,
};

const PAGE: u64 = 4096;

/// Addresses at which no unit can be (drivers/iommu/intel/dmar.c, `dmar_validate_one_drhd`), and two units at
/// one address.
fn judge(ctx: &Context) -> Vec<Finding> {
    let mut at: BTreeMap<u64, usize> = BTreeMap::new();
    for unit in &ctx.iommu.reach.units {
        *at.entry(unit.register_base).or_default() += 1;
    }
    let wrong = at.into_iter().filter_map(|(address, units)| {
        let what = if address == 0 {
            "there are none at address 0"
        } else if !address.is_multiple_of(PAGE) {
            "they do not begin on a page"
        } else if units > 1 {
            "several units name them"
        } else {
            return None;
        };
        Some(format!(
            "registers of an IOMMU unit at {address:#x}: {what}"
        ))
    });
    let lines: Vec<_> = wrong.collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let severity = match ctx.iommu_active() {
        Answer::Yes => Severity::Note,
        Answer::No | Answer::Unknown => Severity::Caution,
    };
    let summary = "The firmware's table gives an IOMMU unit registers that cannot be its own: Linux does not use \
                   such a unit, and functions under it get no group.";
    vec![
        Finding::new(REGISTERS, severity, None, summary)
            .seen_all(shortened(lines))
            .remedy(
                "Switch the IOMMU off and on again in the firmware setup, with a power cycle between, and \
                 update the firmware.",
            ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use crate::testing::tables::{amd_unit, dmar, ivrs, unit};

    #[test]
    fn no_address_an_odd_one_and_one_for_two_are_named() {
        let units = [0, 0xfed9_0010, 0xfed9_1000, 0xfed9_1000].map(|at| unit(0, at, &[]));
        let found = Builder::good().table("DMAR", dmar(1, &units)).only(&RULE);
        assert_eq!(
            found.evidence,
            [
                "registers of an IOMMU unit at 0x0: there are none at address 0",
                "registers of an IOMMU unit at 0xfed90010: they do not begin on a page",
                "registers of an IOMMU unit at 0xfed91000: several units name them",
            ]
        );
        assert_eq!(found.severity, Severity::Note);
        let two = ivrs(&[amd_unit(2, &[]), amd_unit(0x4002, &[])]);
        let amd = Builder::good().amd().table("IVRS", two);
        let off = amd.units(&[]).without_groups().only(&RULE);
        assert_eq!(off.severity, Severity::Caution);
    }

    #[test]
    fn units_at_places_of_their_own_are_no_finding() {
        let units = [0xfed9_0000, 0xfed9_1000].map(|at| unit(0, at, &[]));
        let machine = Builder::good().table("DMAR", dmar(1, &units));
        assert!(machine.findings_of(&RULE).is_empty());
        // One unit that three blocks describe is one.
        let again = ivrs(&[amd_unit(2, &[]), amd_unit(2, &[])]);
        let amd = Builder::good().amd().table("IVRS", again);
        assert!(amd.findings_of(&RULE).is_empty());
    }
}
