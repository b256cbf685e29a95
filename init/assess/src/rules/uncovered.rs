use super::Rule;
use crate::context::Context;
use crate::iommu::Coverage;
use crate::{Answer, Finding, FindingId, IommuVendor};

const UNCOVERED: FindingId = FindingId::new("iommu.uncovered");

pub(super) const RULE: Rule = Rule {
    ids: &[UNCOVERED],
    judge,
};

/// Where the IOMMU is in use the kernel's groups say it, and `group.none` where there is none.
fn judge(ctx: &Context) -> Vec<Finding> {
    if ctx.iommu_active() == Answer::Yes {
        return Vec::new();
    }
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    let uncovered = functions.filter(|function| {
        ctx.iommu.reach.coverage.get(&function.address) == Some(&Coverage::Nothing)
    });
    uncovered
        .map(|function| {
            let summary = "No IOMMU unit of the firmware's table is for this function: with the IOMMU on the \
                           kernel makes no group for it, and VFIO cannot open it.";
            Finding::blocks(UNCOVERED, function.address, summary)
                .seen(why(ctx, function.address.domain))
                .remedy(
                    "Update the board's firmware. A card may be covered in another slot, an SR-IOV card once \
                     its virtual functions are switched off.",
                )
        })
        .collect()
}

fn why(ctx: &Context, domain: u32) -> String {
    let units = &ctx.iommu.reach.units;
    let of_segment = units
        .iter()
        .filter(|unit| u32::from(unit.segment) == domain);
    let count = of_segment.count();
    match (ctx.iommu.summary.vendor, count) {
        (_, 0) => format!("no unit of the table is for PCI segment {domain:04x}"),
        (IommuVendor::Amd, count) => {
            format!("IVRS: {count} units in segment {domain:04x}, none with its requester id")
        }
        (_, count) => format!(
            "DMAR: {count} units in segment {domain:04x}; none names it or a bridge above it, and none takes \
             the rest (INCLUDE_PCI_ALL)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tables::{amd_unit, dmar, endpoint, ivrs, scope, unit};
    use crate::testing::{Builder, GPU, address};

    fn off(machine: Builder) -> Builder {
        machine.units(&[]).without_groups()
    }

    #[test]
    fn a_card_that_no_unit_names_and_that_no_unit_takes_with_the_rest_is_blocked() {
        let units = [unit(0, 0xfed9_0000, &[endpoint(0, &[0, 0])])];
        let found = off(Builder::good().table("DMAR", dmar(1, &units))).only(&RULE);
        assert_eq!(found.function, Some(address(GPU)));
        assert!(found.evidence[0].contains("INCLUDE_PCI_ALL"));
    }

    #[test]
    fn a_unit_that_names_the_card_or_the_port_above_it_or_takes_the_rest_covers_it() {
        for units in [
            unit(0, 0xfed9_0000, &[endpoint(0, &[1, 0, 0, 0])]),
            unit(0, 0xfed9_0000, &[scope(2, 0, 0, &[1, 0])]),
            unit(1, 0xfed9_0000, &[]),
        ] {
            let machine = off(Builder::good().table("DMAR", dmar(1, &[units])));
            assert!(machine.findings_of(&RULE).is_empty());
        }
    }

    #[test]
    fn on_amd_the_requester_id_must_be_in_a_range() {
        let with = |entries: &[u8]| {
            off(Builder::good()
                .amd()
                .table("IVRS", ivrs(&[amd_unit(2, entries)])))
        };
        let up_to_bus_0 = [3, 8, 0, 0, 4, 0xff, 0, 0];
        assert!(with(&up_to_bus_0).only(&RULE).evidence[0].contains("requester id"));
        let up_to_bus_1 = [3, 8, 0, 0, 4, 0xff, 1, 0];
        assert!(with(&up_to_bus_1).findings_of(&RULE).is_empty());
    }

    #[test]
    fn where_the_kernel_has_groups_the_table_is_not_asked() {
        let machine = Builder::good().table("DMAR", dmar(1, &[]));
        assert!(machine.findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_bridge_that_is_not_known_leaves_it_open() {
        let units = [unit(0, 0xfed9_0000, &[])];
        let machine = off(Builder::good().table("DMAR", dmar(1, &units))).change(GPU, |gpu| {
            gpu.parent = hardware::Reading::Unknown("not copied".into())
        });
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
