use std::collections::BTreeMap;

use hardware::{Bar, Framebuffer, Function, Reading};
use pci::Address;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const CLAIMED: FindingId = FindingId::new("boot-gpu.framebuffer");
const UNKNOWN: FindingId = FindingId::new("boot-gpu.framebuffer-unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[CLAIMED, UNKNOWN],
    judge,
};

/// `IORESOURCE_MEM`.
const MEMORY: u64 = 0x200;
/// `IORESOURCE_UNSET`.
const UNSET: u64 = 0x2000_0000;
/// VFIO's own words when a guest asked for the card: `BAR 1: can't reserve [mem ...]`.
const REFUSED: &[&str] = &["can't reserve"];
/// Highest line of `resource` that is a BAR.
const LAST_BAR: u8 = 5;

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx
        .cards
        .iter()
        .flat_map(|card| card.functions.iter().copied());
    match &ctx.machine.framebuffers {
        Reading::Known(framebuffers) => {
            let refused = ctx.kernel().lines_about(REFUSED);
            functions
                .filter_map(|function| claimed(ctx, function, framebuffers, &refused))
                .collect()
        }
        Reading::Absent => Vec::new(),
        Reading::Unknown(why) => functions
            .filter(|function| function.boot_vga.known() == Some(&true))
            .map(|function| {
                let summary = "Whether a firmware framebuffer lies on it could not be read.";
                Finding::note(UNKNOWN, function.address, summary)
                    .seen(format!("framebuffers: {why}"))
                    .remedy("Run this as root.")
            })
            .collect(),
    }
}

fn claimed(
    ctx: &Context,
    function: &Function,
    framebuffers: &[Framebuffer],
    refused: &BTreeMap<Address, Vec<&str>>,
) -> Option<Finding> {
    let bars = function.bars.known()?;
    let in_bars = framebuffers
        .iter()
        .filter_map(|framebuffer| {
            Some((
                framebuffer,
                bars.iter().find(|bar| holds(bar, framebuffer))?,
            ))
        })
        .map(|(framebuffer, bar)| {
            format!(
                "/proc/iomem: {:#x}-{:#x} {} in BAR {} ({:#x}-{:#x})",
                framebuffer.start,
                framebuffer.end,
                framebuffer.owner,
                bar.index,
                bar.start,
                bar.end
            )
        });
    let refused = refused.get(&function.address).into_iter().flatten();
    let refused = refused.map(|line| format!("kernel log: {line}"));
    let evidence: Vec<_> = in_bars.chain(refused).collect();
    if evidence.is_empty() {
        return None;
    }
    let address = function.address;
    let summary = "The firmware's framebuffer lies on it and the kernel holds on to it, so VFIO cannot \
                   reserve its memory.";
    Some(
        Finding::caution(CLAIMED, address, summary)
            .seen_all(evidence)
            .seen(format!("judged by {}", ctx.kernel().name()))
            .remedy(format!(
                "On the installed system add 'initcall_blacklist=sysfb_init' to the kernel command \
                 line (kernels from 5.15 on, where 'video=efifb:off' does nothing once simpledrm is \
                 built in, as on Proxmox VE), or 'video=efifb:off,vesafb:off' on older kernels. To \
                 get a running system out of it: echo 1 > /sys/bus/pci/devices/{address}/remove; \
                 echo 1 > /sys/bus/pci/rescan."
            )),
    )
}

fn holds(bar: &Bar, framebuffer: &Framebuffer) -> bool {
    let is_memory = bar.flags & MEMORY != 0 && bar.flags & UNSET == 0;
    let overlaps = framebuffer.start <= bar.end && bar.start <= framebuffer.end;
    bar.index <= LAST_BAR && is_memory && overlaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, GPU_BAR};
    use crate::{Severity, Verdict};

    #[test]
    fn a_framebuffer_inside_a_bar_is_a_caution_with_the_rescue_in_its_remedy() {
        let machine = Builder::good().framebuffer(GPU_BAR + 0x1000, GPU_BAR + 0x1fff, "BOOTFB");
        let found = machine.clone().only(&RULE);
        assert_eq!(found.severity, Severity::Caution);
        assert!(found.evidence[0].contains("BOOTFB in BAR 0"));
        let remedy = found.remedy.unwrap();
        assert!(remedy.contains("sysfb_init") && remedy.contains("0000:01:00.0/remove"));
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn vfios_own_complaint_is_enough() {
        let line =
            "vfio-pci 0000:01:00.0: BAR 1: can't reserve [mem 0xd0000000-0xdfffffff 64bit pref]";
        let found = Builder::good().log(&[line]).only(&RULE);
        assert_eq!(found.id, "boot-gpu.framebuffer");
        assert!(found.evidence[0].contains("can't reserve"));
    }

    #[test]
    fn a_framebuffer_elsewhere_is_no_finding() {
        let machine = Builder::good().framebuffer(0x1000, 0x1fff, "efifb");
        assert!(machine.findings_of(&RULE).is_empty());
    }

    #[test]
    fn an_unread_framebuffer_is_a_note_on_the_boot_display_alone() {
        let machine = Builder::good().framebuffers_unread();
        assert!(machine.findings_of(&RULE).is_empty());
        assert_eq!(machine.boot_gpu().only(&RULE).severity, Severity::Note);
    }
}
