use hardware::Reading;
use pci::ClassCode;

use super::Rule;
use crate::context::Context;
use crate::{Answer, Finding, FindingId};

const UNKNOWN: FindingId = FindingId::new("host.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[UNKNOWN],
    judge,
};

/// Where disks, network interfaces and keyboards can hang.
fn may_serve_the_host(class: ClassCode) -> bool {
    const UNCLASSIFIED: u8 = 0x00;
    const SERIAL_BUS: u8 = 0x0c;
    const WIRELESS: u8 = 0x0d;
    const UNASSIGNED: u8 = 0xff;
    class.is_storage()
        || class.is_network()
        || matches!(class.base(), SERIAL_BUS | WIRELESS | UNASSIGNED)
        || (class.base() == UNCLASSIFIED && !class.is_display())
}

/// Where the host's use of its devices was not read, a card is unknown if it, or anything that goes to
/// the guest with it, could be what the host runs on. A graphics card alone cannot.
fn judge(ctx: &Context) -> Vec<Finding> {
    let Reading::Unknown(why) = &ctx.host else {
        return Vec::new();
    };
    if ctx.iommu_active() == Answer::No {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for card in &ctx.cards {
        let own = card.functions.iter().copied();
        let groups = ctx.groups_of(card);
        let foreign = groups
            .iter()
            .flat_map(|(group, _)| ctx.foreign_endpoints(card, *group))
            .filter_map(|address| ctx.function(address));
        let mut candidates = own
            .chain(foreign)
            .filter(|function| may_serve_the_host(function.class));
        let Some(first) = candidates.next() else {
            continue;
        };
        let about = if card.has(first.address) {
            first.address
        } else {
            card.lead.address
        };
        let summary =
            "Whether the host runs on it, or on what shares its group, could not be read.";
        findings.push(
            Finding::undecided(UNKNOWN, about, summary)
                .seen(format!("disks, network interfaces and keyboards: {why}"))
                .seen(format!(
                    "could serve the host: {}",
                    ctx.label(first.address)
                ))
                .remedy("Run this on the machine itself, as root."),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU};

    #[test]
    fn a_graphics_card_alone_needs_no_knowledge_of_the_host() {
        let machine = Builder::good().host_devices_unread();
        assert!(machine.findings_of(&RULE).is_empty());
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn a_disk_controller_is_unknown_itself_and_makes_its_group_unknown() {
        let machine = Builder::good().add("02:00.0", 0x01_08_02);
        let machine = machine.host_devices_unread();
        let alone = machine.clone().only(&RULE);
        assert!(alone.unknown);
        let together = machine.in_group(&[GPU, "02:00.0"]);
        assert_eq!(together.clone().findings_of(&RULE).len(), 2);
        assert_eq!(together.gpu_verdict(), Verdict::Unknown);
    }

    #[test]
    fn a_host_that_was_read_is_no_finding() {
        let machine = Builder::good().add("02:00.0", 0x01_08_02);
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
