use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const OVERRIDDEN: FindingId = FindingId::new("group.overridden");

pub(super) const RULE: Rule = Rule {
    ids: &[OVERRIDDEN],
    judge,
};

/// `pcie_acs_override=` makes the kernel split groups that the hardware does not keep apart, so its
/// groups stop being evidence of isolation. Kernels without the patch ignore the word; we cannot tell
/// which this is, so the word alone is the finding.
fn judge(ctx: &Context) -> Vec<Finding> {
    let Some(word) = ctx.kernel().options("pcie_acs_override").next() else {
        return Vec::new();
    };
    if !ctx.groups.has_kernels() {
        return Vec::new();
    }
    let summary = "The kernel was told to override ACS: its groups are smaller than what the hardware \
                   isolates.";
    vec![
        Finding::caution(OVERRIDDEN, None, summary)
            .seen(format!("kernel command line: {word}"))
            .seen(format!("groups made by {}", ctx.kernel().name()))
            .remedy(
                "Start once without the option to see the real groups. With it, a device in a guest \
                 may reach the memory of devices that share its real group.",
            ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn an_override_on_the_command_line_is_a_caution() {
        let found = Builder::good()
            .command_line("quiet pcie_acs_override=downstream,multifunction")
            .only(&RULE);
        assert!(found.evidence[0].contains("downstream,multifunction"));
    }

    #[test]
    fn without_it_or_without_groups_there_is_nothing_to_say() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
        let off = Builder::good()
            .without_iommu()
            .command_line("pcie_acs_override=downstream");
        assert!(off.findings_of(&RULE).is_empty());
    }
}
