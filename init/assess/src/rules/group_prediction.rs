use std::collections::HashMap;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId, GroupSource};

const AGREE: FindingId = FindingId::new("group.as-predicted");
const DIFFER: FindingId = FindingId::new("group.not-as-predicted");
const UNCERTAIN: FindingId = FindingId::new("group.uncertain");

pub(super) const RULE: Rule = Rule {
    ids: &[AGREE, DIFFER, UNCERTAIN],
    judge,
};

/// So many differences are named.
const NAMED: usize = 8;

fn judge(ctx: &Context) -> Vec<Finding> {
    let mut findings: Vec<_> = agreement(ctx).into_iter().collect();
    if ctx.groups.source == GroupSource::Predicted {
        findings.extend(uncertain(ctx));
    }
    findings
}

/// The kernel's groups against its own rules applied to what was read: two ways to the same answer.
fn agreement(ctx: &Context) -> Option<Finding> {
    let differences = ctx.groups.differences.as_ref()?;
    let model = &ctx.groups.prediction.model;
    let kernel = ctx.kernel().name();
    if differences.is_empty() {
        let summary = "The groups are what the kernel's rules make of the ports' ACS registers.";
        return Some(Finding::note(AGREE, None, summary).seen(format!(
            "groups made by {kernel}, and by the rules of {model}: the same"
        )));
    }
    let count = differences.len();
    let list = |members: &[pci::Address]| {
        let members: Vec<_> = members.iter().map(ToString::to_string).collect();
        if members.is_empty() {
            "none".to_owned()
        } else {
            members.join(" ")
        }
    };
    let lines = differences.iter().take(NAMED).map(|one| {
        format!(
            "{}: {kernel} has it with {}; by the rules it is with {}",
            one.function,
            list(&one.kernel),
            list(&one.predicted)
        )
    });
    let summary = format!("{count} functions are in other groups than the kernel's rules give.");
    Some(
        Finding::note(DIFFER, None, summary)
            .seen_all(lines)
            .seen(format!("rules of {model}"))
            .remedy(
                "The kernel's own groups count. They differ where registers were not read (run this as \
                 root), where the kernel has a quirk that is not known here, or where it is another \
                 kernel than the one whose rules are modelled.",
            ),
    )
}

/// A predicted group that holds others only because something on the way was not read.
fn uncertain(ctx: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    // All cards of a group have the same evidence.
    let mut evidence: HashMap<u32, Vec<String>> = HashMap::new();
    for card in &ctx.cards {
        for (id, function) in ctx.groups_of(card) {
            let Some(group) = ctx.groups.prediction.group_of(function.address) else {
                continue;
            };
            if group.is_certain() || !ctx.is_shared(card, id) {
                continue;
            }
            let summary = format!(
                "Whether others share its IOMMU group ({id}) depends on what could not be read."
            );
            let lines = evidence.entry(group.id).or_insert_with(|| {
                let doubts = group.doubts.iter().take(NAMED);
                let lines = doubts.map(|doubt| format!("{}: {}", doubt.function, doubt.why));
                lines.collect()
            });
            findings.push(
                Finding::undecided(UNCERTAIN, function.address, summary)
                    .seen_all(lines.iter().cloned())
                    .remedy(
                        "Read all 4096 bytes of configuration space: run this on the machine itself, \
                         as root, or take the dump with 'lspci -xxxx' as root.",
                    ),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, GPU};

    fn ids(machine: Builder) -> Vec<String> {
        let findings = machine.findings_of(&RULE);
        findings
            .into_iter()
            .map(|finding| finding.id.into_owned())
            .collect()
    }

    #[test]
    fn groups_that_are_as_predicted_are_said_to_be() {
        assert_eq!(ids(Builder::good()), ["group.as-predicted"]);
    }

    #[test]
    fn groups_that_are_not_as_predicted_are_named_function_by_function() {
        let machine = Builder::good().in_group(&[GPU, "00:00.0"]);
        let found = machine.findings_of(&RULE);
        assert_eq!(found[0].id, "group.not-as-predicted");
        assert!(
            found[0]
                .evidence
                .iter()
                .any(|line| line.contains("0000:01:00.0")),
            "{found:?}"
        );
    }

    #[test]
    fn without_a_kernels_groups_there_is_nothing_to_compare() {
        assert!(ids(Builder::good().without_groups()).is_empty());
    }
}
