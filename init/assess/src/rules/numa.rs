use std::collections::BTreeSet;

use hardware::Reading;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const NODE: FindingId = FindingId::new("numa.node");
const UNKNOWN: FindingId = FindingId::new("numa.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[NODE, UNKNOWN],
    judge,
};

/// For displays alone: they move enough memory for the way to it to matter.
fn judge(ctx: &Context) -> Vec<Finding> {
    let online = ctx.machine.numa_nodes.known().into_iter().flatten();
    let seen = ctx.functions().filter_map(|f| f.numa_node.known());
    let nodes: BTreeSet<u16> = online.chain(seen).copied().collect();
    if nodes.len() < 2 {
        return Vec::new();
    }
    let list: Vec<String> = nodes.iter().map(u16::to_string).collect();
    let online = format!("memory nodes: {}", list.join(", "));
    let displays = ctx.cards.iter().filter(|card| card.is_display());
    displays
        .map(|card| {
            let address = card.lead.address;
            match &card.lead.numa_node {
                Reading::Known(node) => {
                    let summary = format!("It is attached to memory node {node} of {}.", nodes.len());
                    Finding::note(NODE, address, summary)
                        .seen(format!("numa_node of {address}: {node}; {online}"))
                        .remedy(format!(
                            "Give the guest processors and memory of node {node} ('affinity' and \
                             'numa0: ...,hostnodes={node},policy=bind' in Proxmox VE)."
                        ))
                }
                Reading::Absent | Reading::Unknown(_) => {
                    let why = match &card.lead.numa_node {
                        Reading::Unknown(why) => why.clone(),
                        _ => format!("numa_node of {address} is -1").into(),
                    };
                    let summary = "Which memory node it is attached to is not told.";
                    Finding::note(UNKNOWN, address, summary)
                        .seen(format!("{why}; {online}"))
                        .remedy(
                            "Look into the board's manual which slot belongs to which processor before \
                             you pin the guest.",
                        )
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, GPU};
    use crate::{Severity, Verdict};

    fn with(nodes: Reading<Vec<u16>>, node: Reading<u16>) -> Builder {
        let mut builder = Builder::good().change(GPU, |gpu| gpu.numa_node = node);
        builder.machine.numa_nodes = nodes;
        builder
    }

    #[test]
    fn on_a_machine_of_several_nodes_a_card_names_its_own() {
        let machine = with(Reading::Known(vec![0, 1]), Reading::Known(1));
        let found = machine.only(&RULE);
        assert_eq!((&*found.id, found.severity), ("numa.node", Severity::Note));
        assert!(found.summary.contains("node 1 of 2"));
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn a_node_that_firmware_does_not_tell_is_unknown() {
        let machine = with(Reading::Known(vec![0, 1]), Reading::Absent);
        assert_eq!(machine.only(&RULE).id, "numa.unknown");
    }

    #[test]
    fn with_one_node_there_is_nothing_to_say() {
        assert!(
            with(Reading::Known(vec![0]), Reading::Known(0))
                .findings_of(&RULE)
                .is_empty()
        );
        assert!(
            with(Reading::Absent, Reading::Absent)
                .findings_of(&RULE)
                .is_empty()
        );
    }

    #[test]
    fn functions_tell_of_nodes_that_could_not_be_listed() {
        let machine = with(Reading::Unknown("not copied".into()), Reading::Known(1))
            .change("00:00.0", |host| host.numa_node = Reading::Known(0));
        assert_eq!(machine.only(&RULE).id, "numa.node");
    }
}
