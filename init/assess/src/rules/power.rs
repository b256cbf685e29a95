use std::collections::BTreeMap;

use hardware::{Function, Reading};
use pci::Address;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const NO_ANSWER: FindingId = FindingId::new("power.no-answer");
const STUCK: FindingId = FindingId::new("power.stuck");

pub(super) const RULE: Rule = Rule {
    ids: &[NO_ANSWER, STUCK],
    judge,
};

/// What the kernel and QEMU say of a device that does not wake up or does not come back from a reset
/// (drivers/pci/pci.c, `pci_power_up`, `pci_dev_wait`; hw/vfio/pci.c).
const STUCK_LINES: &[&str] = &[
    "unable to change power state",
    "refused to change power state",
    "can't change power state",
    "stuck in d3",
    "; giving up",
];
/// Registers that a function which answers cannot have (vendor and header type).
const ALL_ONES: u8 = 0xff;

fn judge(ctx: &Context) -> Vec<Finding> {
    let said = ctx.kernel().lines_about(STUCK_LINES);
    let functions = ctx.cards.iter().flat_map(|card| card.functions.iter());
    functions
        .flat_map(|function| [no_answer(function), stuck(&said, function)])
        .flatten()
        .collect()
}

fn no_answer(function: &Function) -> Option<Finding> {
    let address = function.address;
    let evidence = match (&function.config, &function.revision) {
        (Reading::Known(config), _) if config.is_gone() => {
            format!("every byte of the configuration space of {address} reads as ff")
        }
        (Reading::Known(_), _) => return None,
        (_, Reading::Known(ALL_ONES)) => format!("revision of {address} reads as ff"),
        _ => return None,
    };
    let state = match &function.power_state {
        Reading::Known(state) => format!("power_state of {address}: {state}"),
        _ => format!("power_state of {address} was not read"),
    };
    let summary = "It does not answer: it is powered down or hangs, and a guest cannot use it so.";
    Some(
        Finding::caution(NO_ANSWER, address, summary)
            .seen(evidence)
            .seen(state)
            .remedy(
                "Turn the machine off at its power supply and on again. If it stops to answer after a \
                 guest has had it, keep it awake with 'options vfio-pci disable_idle_d3=1' in \
                 /etc/modprobe.d, and look at its reset.",
            ),
    )
}

fn stuck(said: &BTreeMap<Address, Vec<&str>>, function: &Function) -> Option<Finding> {
    let lines = said.get(&function.address)?;
    let said = lines.iter().map(|line| format!("kernel log: {line}"));
    let state = match &function.d3cold_allowed {
        Reading::Known(true) => "d3cold_allowed is 1: the kernel may cut its power when it idles",
        Reading::Known(false) => "d3cold_allowed is 0",
        _ => "d3cold_allowed was not read",
    };
    let summary =
        "It did not wake up, or did not come back from a reset, since the machine was started.";
    Some(
        Finding::caution(STUCK, function.address, summary)
            .seen_all(said)
            .seen(state)
            .remedy(
                "Keep it awake while no guest has it: 'options vfio-pci disable_idle_d3=1' in \
                 /etc/modprobe.d, then rebuild the initramfs. It answers again after the machine was \
                 turned off and on.",
            ),
    )
}

#[cfg(test)]
mod tests {
    use pci::ConfigSpace;

    use super::*;
    use crate::testing::{Builder, GPU};
    use crate::{Severity, Verdict};

    #[test]
    fn a_function_of_all_ones_does_not_answer() {
        let machine = Builder::good().change(GPU, |gpu| {
            gpu.config = Reading::Known(ConfigSpace::new(vec![0xff; 256]));
            gpu.power_state = Reading::Known("D3cold".into());
        });
        let found = machine.only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("power.no-answer", Severity::Caution)
        );
        assert!(found.evidence[1].contains("D3cold"));
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn a_revision_of_ff_says_so_where_no_registers_were_read() {
        let ff = |config| {
            Builder::good().change(GPU, |gpu| {
                gpu.config = config;
                gpu.revision = Reading::Known(0xff);
            })
        };
        assert_eq!(
            ff(Reading::Unknown("text".into())).only(&RULE).id,
            "power.no-answer"
        );
        let answers = Reading::Known(ConfigSpace::new(vec![0; 256]));
        assert!(ff(answers).findings_of(&RULE).is_empty());
    }

    #[test]
    fn the_kernels_word_about_this_function_is_a_caution_with_the_option() {
        for line in [
            "vfio-pci 0000:01:00.0: Unable to change power state from D3cold to D0, device inaccessible",
            "vfio-pci 0000:01:00.0: not ready 65535ms after FLR; giving up",
            "vfio-pci 0000:01:00.0: Refused to change power state, currently in D3",
        ] {
            let found = Builder::good().log(&[line]).only(&RULE);
            assert_eq!(found.id, "power.stuck", "{line}");
            assert!(found.remedy.unwrap().contains("disable_idle_d3=1"));
        }
    }

    #[test]
    fn another_function_or_a_short_wait_is_no_finding() {
        let machine = Builder::good().log(&[
            "vfio-pci 0000:09:00.0: not ready 65535ms after FLR; giving up",
            "vfio-pci 0000:01:00.0: not ready 1023ms after FLR; waiting",
        ]);
        assert!(machine.findings_of(&RULE).is_empty());
    }

    #[test]
    fn what_could_not_be_read_is_no_finding() {
        let machine = Builder::good().log_unread().change(GPU, |gpu| {
            gpu.config = Reading::Unknown("denied".into());
            gpu.revision = Reading::Unknown("denied".into());
        });
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
