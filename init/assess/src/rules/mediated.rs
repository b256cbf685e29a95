use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const TYPES: FindingId = FindingId::new("mdev.types");

pub(super) const RULE: Rule = Rule {
    ids: &[TYPES],
    judge,
};

/// More of them are left out of the evidence.
const SHOWN: usize = 4;

/// Only a driver tells which kinds there are. Without one nothing is said, in neither direction.
fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter_map(|function| {
            let types = function.mediated_types.known()?;
            let first: Vec<&str> = types.iter().take(SHOWN).map(String::as_str).collect();
            let count = types.len();
            (count > 0).then(|| {
                let summary =
                    "Its driver can give guests parts of it, so the host need not give it away.";
                Finding::note(TYPES, function.address, summary)
                    .seen(format!(
                        "{} offers {count} kinds of mediated devices: {}",
                        function.address,
                        first.join(", ")
                    ))
                    .remedy("In Proxmox VE choose one as 'mdev' of the guest's PCI device.")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hardware::Reading;

    use super::*;
    use crate::Severity;
    use crate::testing::{Builder, GPU};

    #[test]
    fn kinds_that_a_driver_offers_are_a_note() {
        let machine = Builder::good().change(GPU, |gpu| {
            gpu.mediated_types = Reading::Known(vec!["i915-GVTg_V5_4".into()]);
        });
        let found = machine.only(&RULE);
        assert_eq!(found.severity, Severity::Note);
        assert!(found.evidence[0].contains("i915-GVTg_V5_4"));
    }

    #[test]
    fn without_a_driver_nothing_is_said() {
        for types in [
            Reading::Absent,
            Reading::Unknown("x".into()),
            Reading::Known(vec![]),
        ] {
            let machine = Builder::good().change(GPU, |gpu| gpu.mediated_types = types);
            assert!(machine.findings_of(&RULE).is_empty());
        }
    }
}
