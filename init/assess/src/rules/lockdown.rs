use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const LOCKDOWN: FindingId = FindingId::new("kernel.lockdown");

pub(super) const RULE: Rule = Rule {
    ids: &[LOCKDOWN],
    judge,
};

/// What security/lockdown/lockdown.c says when it is switched on, before "; see man kernel_lockdown.7".
const SWITCHED_ON: &str = "kernel is locked down from";

fn judge(ctx: &Context) -> Vec<Finding> {
    let lines = ctx.kernel().lines_with(&[SWITCHED_ON]);
    if lines.is_empty() {
        return Vec::new();
    }
    let summary = "The kernel that looked is locked down, as it is with Secure Boot: it gives nobody the \
                   registers of cards, /dev/mem or writes to configuration space, and takes signed modules \
                   only. Copies of option ROMs that need these stand in this report as not read.";
    vec![
        Finding::note(LOCKDOWN, None, summary)
            .seen_all(lines.iter().map(|line| format!("kernel log: {line}")))
            .remedy(
                "To have everything read, turn Secure Boot off in the firmware setup for this one start. \
                 A host that keeps Secure Boot on passes cards through all the same.",
            ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::Builder;

    const LINE: &str = "Kernel is locked down from EFI Secure Boot; see man kernel_lockdown.7";

    #[test]
    fn lockdown_is_a_note_with_the_kernels_own_line_and_blocks_no_card() {
        let machine = Builder::good().log(&["DMAR-IR: Enabled IRQ remapping in x2apic mode", LINE]);
        let found = machine.clone().only(&RULE);
        assert_eq!(found.evidence, [format!("kernel log: {LINE}")]);
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn what_lockdown_refused_to_others_or_nothing_at_all_is_no_finding() {
        let other = "Lockdown: Xorg: raw io port access is restricted; see man kernel_lockdown.7";
        assert!(Builder::good().log(&[other]).findings_of(&RULE).is_empty());
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }
}
