use hardware::{Group, Reading, ReservedRegion};

use super::Rule;
use crate::context::Context;
use crate::{Answer, Finding, FindingId, IommuVendor, Severity};

const DIRECT: FindingId = FindingId::new("rmrr.direct");
const UNKNOWN: FindingId = FindingId::new("rmrr.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[DIRECT, UNKNOWN],
    judge,
};

/// From this kernel on VFIO refuses AMD's ranges (IVMD) as it always did Intel's (RMRR).
const BOTH_VENDORS_SINCE: (u32, u32) = (6, 6);

fn judge(ctx: &Context) -> Vec<Finding> {
    if ctx.iommu_active() == Answer::No {
        return Vec::new();
    }
    let groups = ctx.machine.groups.known().map_or(&[][..], Vec::as_slice);
    let mut findings: Vec<_> = unread(groups).into_iter().collect();
    for card in &ctx.cards {
        for (id, function) in ctx.groups_of(card) {
            let regions: Vec<_> = groups
                .iter()
                .filter(|group| group.id == id)
                .flat_map(direct)
                .collect();
            if regions.is_empty() {
                continue;
            }
            let evidence = regions.iter().map(|region| {
                format!(
                    "reserved_regions of group {id}: {:#x}-{:#x} direct",
                    region.start, region.end
                )
            });
            let (severity, summary) = weigh(ctx);
            findings.push(
                Finding::new(DIRECT, severity, function.address, summary)
                    .seen_all(evidence)
                    .seen(format!("judged by {}", ctx.kernel().name()))
                    .remedy(REMEDY),
            );
        }
    }
    findings
}

const REMEDY: &str = "Update the firmware, and look in its setup for what uses the range (remote \
                      management, legacy USB, a shared memory option of the vendor). On Intel, Proxmox \
                      kernels from 6.2 on have 'intel_iommu=relax_rmrr', at the price that firmware \
                      may still write there while a guest owns the card.";

fn weigh(ctx: &Context) -> (Severity, &'static str) {
    let is_old = ctx
        .kernel()
        .version()
        .is_some_and(|version| version < BOTH_VENDORS_SINCE);
    if ctx.iommu.summary.vendor == IommuVendor::Amd && is_old {
        let summary = "The firmware reserves memory for its group: kernels from 6.6 on refuse to attach \
                       it to a guest, this one does not yet.";
        return (Severity::Caution, summary);
    }
    let summary = "The firmware reserves memory for its group that must stay mapped one to one: VFIO \
                   refuses to attach it to a guest.";
    (Severity::Blocks, summary)
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
    use crate::Verdict;
    use crate::testing::Builder;

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
            (found.id.as_str(), found.severity),
            ("rmrr.unknown", Severity::Note)
        );
    }
}
