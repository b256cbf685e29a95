use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const OPT_OUT: FindingId = FindingId::new("remapping.x2apic-opt-out");

pub(super) const RULE: Rule = Rule {
    ids: &[OPT_OUT],
    judge,
};

fn judge(ctx: &Context) -> Vec<Finding> {
    if !ctx.iommu.summary.x2apic_opt_out {
        return Vec::new();
    }
    let lines = ctx.kernel().lines_with(&["x2apic opt out"]).into_iter();
    let summary = "The firmware asks the kernel not to use x2APIC mode; interrupts are remapped in \
                   xAPIC mode all the same.";
    vec![
        Finding::note(OPT_OUT, None, summary)
            .seen("DMAR flags: bit 1 (X2APIC_OPT_OUT) is set")
            .seen_all(lines.map(|line| format!("kernel log: {line}")))
            .remedy(
                "Nothing needs to be done. With more than 255 processor threads, \
                 'intremap=no_x2apic_optout' overrides the firmware.",
            ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::testing::Builder;

    #[test]
    fn the_opt_out_flag_is_a_note() {
        let found = Builder::good().dmar_flags(3).only(&RULE);
        assert_eq!(found.severity, Severity::Note);
        assert!(Builder::good().dmar_flags(1).findings_of(&RULE).is_empty());
    }
}
