use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const SHARED: FindingId = FindingId::new("group.shared");

pub(super) const RULE: Rule = Rule {
    ids: &[SHARED],
    judge,
};

/// So many members are named; a group of a whole chipset is summed up.
const NAMED: usize = 12;

fn judge(ctx: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for card in &ctx.cards {
        for (group, function) in ctx.groups_of(card) {
            let count = ctx.count_foreign_endpoints(card, group);
            if count == 0 {
                continue;
            }
            let functions = if count == 1 { "function" } else { "functions" };
            let group_text = format!("in group {group}: ");
            let named = ctx.foreign_labels(card, group, NAMED);
            let named = named.iter().map(|label| [&group_text, &**label].concat());
            let rest = count
                .checked_sub(NAMED)
                .filter(|more| *more > 0)
                .map(|more| format!("and {more} more in group {group}"));
            let summary =
                format!("It shares IOMMU group {group} with {count} {functions} of other cards.");
            findings.push(
                Finding::caution(SHARED, function.address, summary)
                    .seen_all(named.chain(rest))
                    .seen(ctx.groups_made_by())
                    .remedy(REMEDY),
            );
        }
    }
    findings
}

const REMEDY: &str = "The whole group goes to one guest, or its other members stay without a driver. \
                      To part them, put the card into another slot, best one on the processor, or \
                      switch ACS on in the firmware setup. Proxmox kernels can override ACS \
                      ('pcie_acs_override='), which parts the groups and not the hardware: the guest \
                      may then reach its neighbours' memory.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AUDIO, Builder, GPU};
    use crate::{Severity, Verdict};

    #[test]
    fn a_card_whose_functions_share_a_group_is_no_finding() {
        let machine = Builder::good()
            .add(AUDIO, 0x04_03_00)
            .in_group(&[GPU, AUDIO]);
        assert!(machine.findings_of(&RULE).is_empty());
    }

    #[test]
    fn bridges_in_the_group_are_no_finding() {
        let machine = Builder::good().in_group(&["00:00.0", "00:01.0", GPU]);
        assert!(machine.findings_of(&RULE).is_empty());
    }

    #[test]
    fn each_foreign_function_is_named_on_each_of_the_cards() {
        let machine = Builder::good()
            .add("02:00.0", 0x04_01_00)
            .in_group(&["00:01.0", GPU, "02:00.0"]);
        let found = machine.findings_of(&RULE);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].severity, Severity::Caution);
        assert!(found[0].evidence[0].contains("0000:02:00.0"));
        assert!(found[1].evidence[0].contains("0000:01:00.0"));
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn a_member_that_is_not_in_the_list_of_functions_counts() {
        let machine = Builder::good().in_group(&[GPU, "7f:00.0"]);
        assert!(machine.only(&RULE).evidence[0].contains("not in the list"));
    }

    #[test]
    fn a_large_group_is_summed_up() {
        let mut machine = Builder::good();
        let mut members = vec![GPU.to_owned()];
        for bus in 0x10..0x30 {
            let address = format!("{bus:02x}:00.0");
            machine = machine.add(&address, 0x04_01_00);
            members.push(address);
        }
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let found = machine.in_group(&members).findings_of(&RULE);
        assert!(found[0].summary.contains("32 functions"));
        assert!(
            found[0]
                .evidence
                .contains(&"and 20 more in group 1".to_owned())
        );
    }
}
