use hardware::{Function, Group, Reading, ReservedRegion};

use super::Rule;
use super::table_integrity::shortened;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::iommu::{Reserved, ReservedSource};
use crate::{Finding, FindingId, IommuVendor, Severity};

const DIRECT: FindingId = FindingId::new("rmrr.direct");
const PREDICTED: FindingId = FindingId::new("rmrr.predicted");
const UNKNOWN: FindingId = FindingId::new("rmrr.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[DIRECT, PREDICTED, UNKNOWN],
    judge,
};

/// From this kernel on VFIO refuses AMD's ranges (IVMD) as it always did Intel's (RMRR).
const BOTH_VENDORS_SINCE: (u32, u32) = (6, 6);

const REMEDY: &str = "Update the firmware, and look in its setup for what uses the range (remote \
                      management, legacy USB, a shared memory option of the vendor). On Intel, Proxmox \
                      kernels from 6.2 on have 'intel_iommu=relax_rmrr', at the price that firmware \
                      may still write there while a guest owns the card.";

fn judge(ctx: &Context) -> Vec<Finding> {
    let groups = ctx.machine.groups.known().map_or(&[][..], Vec::as_slice);
    let mut findings: Vec<_> = unread(groups).into_iter().collect();
    for card in &ctx.cards {
        findings.extend(told(ctx, card, groups));
        findings.extend(predicted(ctx, card));
    }
    findings
}

/// What the kernel says of the card's groups.
fn told(ctx: &Context, card: &CardFunctions, groups: &[Group]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, function) in ctx.groups_of(card) {
        let mut told = groups
            .iter()
            .filter(|group| group.id == id && ctx.iommu.kernel_told.has(function.address))
            .flat_map(direct)
            .peekable();
        if told.peek().is_none() {
            continue;
        }
        let evidence = told.map(|region| {
            format!(
                "reserved_regions of group {id}: {:#x}-{:#x} direct",
                region.start, region.end
            )
        });
        let members = ctx.groups().get(&id).into_iter().flatten();
        let named = members
            .filter_map(|member| ctx.function(*member))
            .flat_map(|member| lasting(ctx, member).map(move |range| line(member, range)));
        let (severity, summary) = match weight(ctx) {
            Severity::Caution => (
                Severity::Caution,
                "The firmware reserves memory for its group: kernels from 6.6 on refuse to attach it to a \
                 guest, this one does not yet.",
            ),
            severity => (
                severity,
                "The firmware reserves memory for its group that must stay mapped one to one: VFIO refuses \
                 to attach it to a guest.",
            ),
        };
        findings.push(
            Finding::new(DIRECT, severity, function.address, summary)
                .seen_all(shortened(evidence.collect()))
                .seen_all(shortened(named.collect()))
                .seen(format!("judged by {}", ctx.kernel().name()))
                .remedy(REMEDY),
        );
    }
    findings
}

/// What the tables say of functions about which the kernel says nothing: with the IOMMU off there are no
/// groups, and no ranges of theirs.
fn predicted(ctx: &Context, card: &CardFunctions) -> Vec<Finding> {
    let untold = card
        .functions
        .iter()
        .filter(|function| !ctx.iommu.kernel_told.has(function.address));
    untold
        .filter_map(|function| {
            let lines: Vec<_> = lasting(ctx, function)
                .map(|range| line(function, range))
                .collect();
            let summary = match weight(ctx) {
                Severity::Caution => {
                    "The firmware reserves memory for it: with the IOMMU on, kernels from 6.6 on refuse to \
                     attach it to a guest, this one would not yet."
                }
                _ => {
                    "The firmware reserves memory for it that must stay mapped one to one: with the IOMMU on, \
                     VFIO refuses to attach it, and every function in its group, to a guest."
                }
            };
            (!lines.is_empty()).then(|| {
                Finding::new(PREDICTED, weight(ctx), function.address, summary)
                    .seen_all(shortened(lines))
                    .seen(rule_of_kernel(ctx))
                    .remedy(REMEDY)
            })
        })
        .collect()
}

/// Ranges of the tables that the kernel does not let go for this function.
fn lasting<'c>(ctx: &'c Context, function: &Function) -> impl Iterator<Item = &'c Reserved> {
    let ranges: Vec<_> = ctx
        .iommu
        .reach
        .reserved_for(function.address)
        .filter(|range| !range.source.is_relaxable(function))
        .collect();
    ranges.into_iter()
}

fn line(function: &Function, range: &Reserved) -> String {
    format!("{range} for {}", function.address)
}

fn rule_of_kernel(ctx: &Context) -> String {
    let amd = ctx
        .iommu
        .reach
        .reserved
        .iter()
        .any(|range| range.source == ReservedSource::Ivmd);
    let rule = if amd {
        "refused from kernel 6.6 on, for devices of every class"
    } else {
        "refused by every kernel, but for USB controllers and display devices"
    };
    format!("rule of Linux: {rule}; judged by {}", ctx.kernel().name())
}

fn weight(ctx: &Context) -> Severity {
    let is_old = ctx
        .kernel()
        .version()
        .is_some_and(|version| version < BOTH_VENDORS_SINCE);
    if ctx.iommu.summary.vendor == IommuVendor::Amd && is_old {
        Severity::Caution
    } else {
        Severity::Blocks
    }
}

fn direct(group: &Group) -> impl Iterator<Item = &ReservedRegion> {
    let regions = group.reserved_regions.known().into_iter().flatten();
    regions.filter(|region| region.kind == "direct")
}

/// One note for the whole machine.
fn unread(groups: &[Group]) -> Option<Finding> {
    let mut unread = groups
        .iter()
        .filter_map(|group| match &group.reserved_regions {
            Reading::Unknown(why) => Some((group.id, why)),
            Reading::Known(_) | Reading::Absent => None,
        });
    let (id, why) = unread.next()?;
    let more = unread.count();
    let summary = "Whether the firmware reserves memory for some groups could not be read.";
    Some(
        Finding::note(UNKNOWN, None, summary)
            .seen(format!("reserved_regions of group {id}: {why}"))
            .seen_all((more > 0).then(|| format!("and of {more} more groups"))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tables::{amd_unit, dmar, endpoint, ivmd, ivrs, rmrr, scope, unit};
    use crate::testing::{AUDIO, Builder, GPU, address};
    use crate::{RegionSource, Verdict};

    const NIC: &str = "01:01.0";

    /// A network card below the port, reserved memory for whatever the scope names, and the IOMMU off.
    fn off(scope: Vec<u8>) -> Builder {
        let range = rmrr(0x1f00_0000, 0x1f0f_ffff, &[scope]);
        let table = dmar(1, &[unit(1, 0xfed9_0000, &[]), range]);
        let machine = Builder::good().add(NIC, 0x02_00_00);
        machine.table("DMAR", table).units(&[]).without_groups()
    }

    fn off_amd(blocks: &[Vec<u8>]) -> Builder {
        let all = amd_unit(2, &[1, 0, 0, 0]);
        let blocks = [&[all], blocks].concat();
        let machine = Builder::good().add(NIC, 0x02_00_00).amd();
        machine
            .table("IVRS", ivrs(&blocks))
            .units(&[])
            .without_groups()
    }

    #[test]
    fn with_the_iommu_off_the_table_tells_whom_vfio_would_refuse() {
        let machine = off(endpoint(0, &[1, 0, 0, 0]));
        // The kernel lets a graphics card's range go.
        assert!(machine.findings_of(&RULE).is_empty());
        let regions = machine.assess().iommu.reserved_regions;
        assert_eq!(regions[0].kind, "direct-relaxable");
        assert_eq!(regions[0].source, RegionSource::Table);

        let found = off(endpoint(1, &[1, 0])).only(&RULE);
        assert_eq!(found.id, "rmrr.predicted");
        assert_eq!(
            (found.severity, found.function),
            (Severity::Blocks, Some(address(NIC)))
        );
        assert!(found.evidence[0].contains("0x1f000000-0x1f0fffff for 0000:01:01.0"));
    }

    #[test]
    fn a_scope_that_names_a_bridge_reserves_for_everything_behind_it() {
        let machine = off(scope(2, 0, 0, &[1, 0])).add(AUDIO, 0x04_03_00);
        let machine = machine.change(AUDIO, |audio| audio.group = Reading::Absent);
        let about: Vec<_> = machine
            .without_groups()
            .findings_of(&RULE)
            .iter()
            .map(|finding| finding.function.unwrap())
            .collect();
        // The display function is let go, its audio function is not.
        assert_eq!(about, [address(AUDIO), address(NIC)]);
    }

    #[test]
    fn on_amd_every_class_is_refused_and_a_range_of_ids_means_all_of_them() {
        let all = off_amd(&[ivmd(0x22, 1, (0, 0xffff), 0x1f00_0000, 0x1000)]);
        let found = all.clone().release("6.8.4-2-pve").findings_of(&RULE);
        assert_eq!(found.len(), 2);
        assert!(
            found
                .iter()
                .all(|finding| finding.severity == Severity::Blocks)
        );
        let old = all.release("6.1.0-28-amd64").findings_of(&RULE);
        assert!(
            old.iter()
                .all(|finding| finding.severity == Severity::Caution)
        );

        let one = off_amd(&[ivmd(0x21, 8, (0x0108, 0), 0x1f00_0000, 0x1000)]).only(&RULE);
        assert_eq!(one.function, Some(address(NIC)));
        let neither_flag = off_amd(&[ivmd(0x20, 6, (0, 0), 0x1f00_0000, 0x1000)]);
        assert!(neither_flag.findings_of(&RULE).is_empty());
    }

    #[test]
    fn where_the_kernel_has_told_the_table_is_evidence_and_no_finding_of_its_own() {
        let range = rmrr(0x7d80_0000, 0x7fff_ffff, &[endpoint(0, &[1, 0, 0, 1])]);
        let table = dmar(1, &[unit(1, 0xfed9_0000, &[]), range]);
        let machine = Builder::good()
            .add(AUDIO, 0x04_03_00)
            .in_group(&[GPU, AUDIO])
            .table("DMAR", table);
        assert!(machine.findings_of(&RULE).is_empty());
        let found = machine.reserved_region("direct").only(&RULE);
        assert_eq!(found.id, "rmrr.direct");
        assert!(found.evidence[1].contains("RMRR) 0x7d800000-0x7fffffff for 0000:01:00.1"));
    }

    #[test]
    fn a_group_whose_regions_were_not_read_is_judged_by_the_table() {
        let range = rmrr(0x1f00_0000, 0x1f0f_ffff, &[endpoint(0, &[1, 0, 0, 1])]);
        let machine = Builder::good()
            .add(AUDIO, 0x04_03_00)
            .in_group(&[GPU, AUDIO])
            .table("DMAR", dmar(1, &[range]))
            .reserved_regions_unread();
        let ids: Vec<_> = machine
            .findings_of(&RULE)
            .into_iter()
            .map(|f| f.id)
            .collect();
        assert_eq!(ids, ["rmrr.unknown", "rmrr.predicted"]);
    }

    #[test]
    fn a_direct_region_blocks_and_a_relaxable_one_does_not() {
        let machine = Builder::good().reserved_region("direct");
        assert_eq!(machine.clone().only(&RULE).severity, Severity::Blocks);
        assert_eq!(machine.gpu_verdict(), Verdict::Blocked);
        for kind in ["direct-relaxable", "msi", "reserved"] {
            let machine = Builder::good().reserved_region(kind);
            assert!(machine.findings_of(&RULE).is_empty(), "{kind}");
        }
    }

    #[test]
    fn amd_is_blocked_from_kernel_6_6_on() {
        let amd = Builder::good().amd().reserved_region("direct");
        assert_eq!(
            amd.clone().release("6.5.13-5-pve").only(&RULE).severity,
            Severity::Caution
        );
        assert_eq!(
            amd.release("6.8.4-2-pve").only(&RULE).severity,
            Severity::Blocks
        );
    }

    #[test]
    fn what_could_not_be_read_is_one_note() {
        let found = Builder::good().reserved_regions_unread().only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("rmrr.unknown", Severity::Note)
        );
    }
}
