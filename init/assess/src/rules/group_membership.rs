use hardware::{Function, Reading};

use super::Rule;
use crate::context::Context;
use crate::{Answer, Finding, FindingId};

const NONE: FindingId = FindingId::new("group.none");
const UNKNOWN: FindingId = FindingId::new("group.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[NONE, UNKNOWN],
    judge,
};

/// A function without a group cannot be opened through VFIO. Asked only where the IOMMU is known to be
/// in use: elsewhere nothing has a group, and that is already said.
fn judge(ctx: &Context) -> Vec<Finding> {
    if ctx.iommu_active() != Answer::Yes {
        return Vec::new();
    }
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter_map(|function| match ctx.groups.kernels_of(function) {
            Reading::Known(_) => None,
            // With the IOMMU in use there is at least one group: if none is there, they were not read.
            Reading::Absent if !ctx.groups.has_kernels() => {
                Some(unknown(function, "no IOMMU group at all was found"))
            }
            Reading::Absent => Some(none(ctx, function)),
            Reading::Unknown(why) => Some(unknown(function, &why)),
        })
        .collect()
}

fn unknown(function: &Function, why: &str) -> Finding {
    Finding::undecided(
        UNKNOWN,
        function.address,
        "Its IOMMU group could not be read.",
    )
    .seen(format!("iommu_group of {}: {why}", function.address))
    .remedy("Run this on the machine itself, as root; a copy of /sys needs kernel/iommu_groups.")
}

fn none(ctx: &Context, function: &Function) -> Finding {
    let kernel = ctx.kernel();
    let igfx_off = kernel.option_with("intel_iommu", "igfx_off");
    let remedy = match igfx_off {
        Some(word) if function.class.is_display() => {
            format!("Take 'igfx_off' out of '{word}' on the kernel command line.")
        }
        _ => "The firmware's table leaves it out, or the kernel excludes it (integrated graphics \
              without 'intel_iommu=on', for one): update the firmware, and read the kernel log."
            .to_owned(),
    };
    Finding::blocks(
        NONE,
        function.address,
        "The kernel made no IOMMU group for it, so VFIO cannot open it.",
    )
    .seen(format!(
        "/sys/bus/pci/devices/{}/iommu_group is not there",
        function.address
    ))
    .seen_all(igfx_off.map(|word| format!("kernel command line: {word}")))
    .seen(format!("judged by {}", kernel.name()))
    .remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU};

    fn others_grouped() -> Builder {
        Builder::good().add("02:00.0", 0x02_00_00)
    }

    #[test]
    fn an_iommu_in_use_without_any_group_was_not_read_in_full() {
        let found = Builder::good().without_groups().only(&RULE);
        assert_eq!(found.id, "group.unknown");
    }

    #[test]
    fn a_function_in_a_group_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_function_without_a_group_is_blocked() {
        let machine = others_grouped().group(GPU, Reading::Absent);
        assert_eq!(machine.clone().only(&RULE).id, "group.none");
        assert_eq!(machine.gpu_verdict(), Verdict::Blocked);
    }

    #[test]
    fn the_option_that_keeps_integrated_graphics_out_is_named() {
        let found = others_grouped()
            .group(GPU, Reading::Absent)
            .command_line("intel_iommu=on,igfx_off")
            .only(&RULE);
        assert!(found.remedy.unwrap().contains("intel_iommu=on,igfx_off"));
    }

    #[test]
    fn a_group_that_could_not_be_read_is_unknown() {
        let machine = Builder::good().group(GPU, Reading::Unknown("denied".into()));
        let found = machine.clone().only(&RULE);
        assert!(found.unknown && found.id == "group.unknown");
        assert_eq!(machine.gpu_verdict(), Verdict::Unknown);
    }

    #[test]
    fn with_the_iommu_off_or_unread_groups_are_not_asked() {
        for machine in [
            Builder::good().without_iommu(),
            Builder::good().iommu_unread(),
        ] {
            let machine = machine.group(GPU, Reading::Absent);
            assert!(machine.findings_of(&RULE).is_empty());
        }
    }
}
