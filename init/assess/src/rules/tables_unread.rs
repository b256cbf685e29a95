use hardware::Reading;

use super::Rule;
use crate::context::Context;
use crate::{Answer, Finding, FindingId};

const UNREAD: FindingId = FindingId::new("iommu.tables-unread");

pub(super) const RULE: Rule = Rule {
    ids: &[UNREAD],
    judge,
};

/// Where the IOMMU is in use its driver has found a table, so the verdict stands without it. Where it is
/// not, what could not be read is `iommu.unknown` or `iommu.off`.
fn judge(ctx: &Context) -> Vec<Finding> {
    let Reading::Unknown(why) = &ctx.machine.tables else {
        return Vec::new();
    };
    if ctx.iommu_active() != Answer::Yes {
        return Vec::new();
    }
    let summary = "The firmware's ACPI tables under /sys/firmware could not be read: what they say of \
                   interrupt remapping and x2APIC is not judged.";
    vec![
        Finding::note(UNREAD, None, summary)
            .seen(format!("/sys/firmware/acpi/tables: {why}"))
            .remedy("Run Preflight as root, or copy firmware/acpi/tables too."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::Builder;

    #[test]
    fn unread_tables_are_a_note_where_the_kernel_uses_the_iommu() {
        let mut machine = Builder::good();
        machine.machine.tables = Reading::Unknown("no such folder".into());
        let found = machine.clone().only(&RULE);
        assert!(found.summary.contains("/sys/firmware"));
        assert!(found.evidence[0].contains("no such folder"));
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn read_tables_are_no_finding_and_without_a_unit_other_findings_speak() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
        let mut off = Builder::good();
        off.machine.tables = Reading::Unknown("no such folder".into());
        off.machine.iommu_units = Reading::Known(Vec::new());
        assert!(off.findings_of(&RULE).is_empty());
    }
}
