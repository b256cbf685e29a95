use std::collections::BTreeMap;

use hardware::{Bar, Function};
use pci::Address;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const UNASSIGNED: FindingId = FindingId::new("bar.unassigned");

pub(super) const RULE: Rule = Rule {
    ids: &[UNASSIGNED],
    judge,
};

/// `IORESOURCE_MEM`.
const MEMORY: u64 = 0x200;
/// `IORESOURCE_UNSET`.
const UNSET: u64 = 0x2000_0000;
/// What the kernel says when it finds no room (drivers/pci/setup-res.c).
const NO_ROOM: &[&str] = &["can't assign", "no space", "failed to assign"];

/// Memory BARs only: many devices do without their I/O ports.
fn judge(ctx: &Context) -> Vec<Finding> {
    let said = ctx.kernel().lines_about(NO_ROOM);
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter_map(|function| judge_function(&said, function))
        .collect()
}

fn judge_function(said: &BTreeMap<Address, Vec<&str>>, function: &Function) -> Option<Finding> {
    let address = function.address;
    let lost: Vec<&Bar> = function
        .bars
        .known()?
        .iter()
        .filter(|bar| bar.flags & MEMORY != 0 && is_unassigned(bar))
        .collect();
    if lost.is_empty() {
        return None;
    }
    let bars = lost.iter().map(|bar| {
        let size = bar.end.saturating_sub(bar.start).saturating_add(1);
        format!(
            "BAR {} of {address} ({size:#x} bytes) has no address in 'resource'",
            bar.index
        )
    });
    let lines = said.get(&address).into_iter().flatten();
    let said = lines.map(|line| format!("kernel log: {line}"));
    let summary =
        "Its memory found no room below the port, so neither the host nor a guest can use it.";
    Some(
        Finding::caution(UNASSIGNED, address, summary)
            .seen_all(bars)
            .seen_all(said)
            .remedy(
                "Switch 'Above 4G decoding' on in the firmware setup, with CSM off. Where that does not \
                 help, take another large card out, or add 'pci=realloc' to the kernel command line.",
            ),
    )
}

fn is_unassigned(bar: &Bar) -> bool {
    bar.flags & UNSET != 0 || (bar.start == 0 && bar.end > 0)
}

#[cfg(test)]
mod tests {
    use hardware::Reading;

    use super::*;
    use crate::testing::{Builder, GPU};
    use crate::{Severity, Verdict};

    fn with(start: u64, end: u64, flags: u64) -> Builder {
        let bar = Bar {
            index: 1,
            start,
            end,
            flags,
        };
        Builder::good().change(GPU, |gpu| gpu.bars = Reading::Known(vec![bar]))
    }

    #[test]
    fn a_memory_bar_without_an_address_is_a_caution_with_the_switch() {
        let machine = with(0, 0x3_ffff_ffff, UNSET | MEMORY).log(&[
            "DMAR-IR: Enabled IRQ remapping in x2apic mode",
            "pci 0000:01:00.0: BAR 1 [mem size 0x400000000 64bit pref]: can't assign; no space",
            "pci 0000:02:00.0: BAR 0 [mem size 0x1000]: can't assign; no space",
        ]);
        let found = machine.only(&RULE);
        assert_eq!(found.severity, Severity::Caution);
        assert_eq!(found.evidence.len(), 2, "{:?}", found.evidence);
        assert!(found.remedy.unwrap().contains("Above 4G"));
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn an_assigned_bar_and_lost_io_ports_are_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
        assert!(with(0, 0x7f, UNSET | 0x100).findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_line_in_the_log_about_a_bar_that_has_its_address_now_is_no_finding() {
        let machine = Builder::good()
            .log(&["pci 0000:01:00.0: BAR 1 [mem size 0x1000]: can't assign; no space"]);
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
