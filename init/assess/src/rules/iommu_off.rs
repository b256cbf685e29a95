use super::Rule;
use super::firmware_switch::{is_guest, switches};
use crate::context::Context;
use crate::{Answer, Finding, FindingId, IommuVendor};

const FIRMWARE_OFF: FindingId = FindingId::new("iommu.firmware-off");
const KERNEL_OFF: FindingId = FindingId::new("iommu.kernel-off");
const OFF: FindingId = FindingId::new("iommu.off");
const UNKNOWN: FindingId = FindingId::new("iommu.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[FIRMWARE_OFF, KERNEL_OFF, OFF, UNKNOWN],
    judge,
};

/// Words by which the kernel's log tells why it does not use the unit that firmware describes.
const KERNEL_GAVE_UP: &[&str] = &[
    "no supported address widths",
    "not supported address widths",
    "failed to initialize iommu",
    "failed to map dmar",
    "your bios is broken",
    "parse dmar table failure",
    "amd-vi: error",
    "unable to read/write to iommu",
];

fn judge(ctx: &Context) -> Vec<Finding> {
    let state = &ctx.iommu;
    let finding = match (state.summary.active, state.summary.firmware) {
        (Answer::Yes, _) => return Vec::new(),
        (_, Answer::No) => Finding::blocks(
            FIRMWARE_OFF,
            None,
            "The firmware describes no IOMMU: it is switched off there, or the machine has none.",
        )
        .remedy(firmware_remedy(ctx)),
        (Answer::No, Answer::Yes) => Finding::blocks(
            KERNEL_OFF,
            None,
            "The machine has an IOMMU and the running kernel does not use it.",
        )
        .seen_all(kernel_gave_up(ctx))
        .remedy(kernel_remedy(ctx)),
        (Answer::No, Answer::Unknown) => Finding::blocks(
            OFF,
            None,
            "No IOMMU is in use; whether the firmware describes one could not be read.",
        )
        .remedy(format!(
            "{} If it is switched on there: {}",
            firmware_remedy(ctx),
            kernel_remedy(ctx)
        )),
        (Answer::Unknown, Answer::Yes | Answer::Unknown) => Finding::undecided(
            UNKNOWN,
            None,
            "Whether an IOMMU is in use could not be read.",
        )
        .remedy("Run this on the machine itself, as root; a copy of /sys needs class/iommu."),
    };
    let judged_by = format!("judged by {}", ctx.kernel().name());
    let evidence = state.active_evidence.iter().chain(&state.firmware_evidence);
    vec![finding.seen_all(evidence.cloned()).seen_all([judged_by])]
}

fn kernel_gave_up(ctx: &Context) -> impl Iterator<Item = String> {
    let lines = ctx.kernel().lines_with(KERNEL_GAVE_UP).into_iter();
    lines.map(|line| format!("kernel log: {line}"))
}

fn firmware_remedy(ctx: &Context) -> String {
    let switches = switches(ctx.machine);
    let (iommu, virtualization) = (switches.iommu, switches.virtualization);
    if is_guest(ctx.machine) {
        return "This is a virtual machine: give it a virtual IOMMU with interrupt remapping (QEMU: \
                machine q35 with 'intel-iommu,intremap=on,caching-mode=on' or 'amd-iommu')."
            .to_owned();
    }
    format!(
        "In the firmware setup switch on {iommu}, and {virtualization} with it; then look again."
    )
}

fn kernel_remedy(ctx: &Context) -> String {
    let kernel = ctx.kernel();
    let switched_off = ["intel_iommu", "amd_iommu", "iommu"]
        .iter()
        .find_map(|name| kernel.option_with(name, "off"));
    if let Some(word) = switched_off {
        return format!("Take '{word}' off the kernel command line.");
    }
    if kernel_gave_up(ctx).next().is_some() {
        return "The kernel log says why the unit is not used: update the board's firmware, and look \
                for a setting of the IOMMU there."
            .to_owned();
    }
    match ctx.iommu.summary.vendor {
        IommuVendor::Intel => {
            "Add 'intel_iommu=on' to the kernel command line. Only Proxmox kernels \
                               from 6.8 on do without it."
                .to_owned()
        }
        IommuVendor::Amd => {
            "An AMD IOMMU needs no option to be used: read the lines of the kernel \
                             log that begin with AMD-Vi, and update the board's firmware."
                .to_owned()
        }
        IommuVendor::None => {
            "Add 'intel_iommu=on' to the kernel command line on Intel; AMD needs no \
                              option."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::Builder;

    #[test]
    fn an_iommu_in_use_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn without_a_table_the_remedy_names_the_switch_of_this_processor() {
        for (vendor, word) in [
            ("GenuineIntel", "VT-d"),
            ("AuthenticAMD", "AMD-Vi"),
            ("?", "VT-d"),
        ] {
            let found = Builder::good()
                .cpu_vendor(vendor)
                .without_iommu()
                .only(&RULE);
            assert_eq!(found.id, "iommu.firmware-off");
            assert!(found.remedy.unwrap().contains(word), "{vendor}");
            assert!(
                found
                    .evidence
                    .iter()
                    .any(|line| line.contains("/sys/class/iommu is empty"))
            );
        }
    }

    #[test]
    fn a_table_without_a_unit_is_the_kernels_doing() {
        let off = Builder::good().units(&[]).without_groups();
        let found = off.clone().only(&RULE);
        assert_eq!(found.id, "iommu.kernel-off");
        assert!(found.remedy.unwrap().contains("intel_iommu=on"));

        let switched_off = off.clone().command_line("quiet iommu=off").only(&RULE);
        assert!(switched_off.remedy.unwrap().contains("Take 'iommu=off'"));

        let dead = off.log(&["DMAR: dmar0: No supported address widths. Not attempting DMA"]);
        let found = dead.only(&RULE);
        assert!(found.remedy.unwrap().contains("update"));
        assert!(
            found
                .evidence
                .iter()
                .any(|line| line.contains("No supported address widths"))
        );
    }

    #[test]
    fn an_amd_machine_is_not_told_to_add_an_option_that_does_not_exist() {
        let found = Builder::good()
            .amd()
            .units(&[])
            .without_groups()
            .only(&RULE);
        assert!(!found.remedy.unwrap().contains("amd_iommu=on"));
    }

    #[test]
    fn a_guest_is_told_to_get_a_virtual_iommu() {
        let found = Builder::good().guest().without_iommu().only(&RULE);
        assert!(found.remedy.unwrap().contains("intel-iommu"));
    }

    #[test]
    fn what_could_not_be_read_is_unknown_and_never_off() {
        let machine = Builder::good().iommu_unread();
        let found = machine.clone().only(&RULE);
        assert_eq!(found.id, "iommu.unknown");
        assert!(found.unknown);
        assert_eq!(machine.gpu_verdict(), Verdict::Unknown);
    }

    #[test]
    fn groups_without_a_unit_contradict_each_other_and_decide_nothing() {
        assert_eq!(Builder::good().units(&[]).only(&RULE).id, "iommu.unknown");
    }

    #[test]
    fn an_iommu_that_is_off_blocks_even_when_the_tables_were_not_read() {
        let found = Builder::good()
            .units(&[])
            .without_groups()
            .tables_unread()
            .only(&RULE);
        assert_eq!(found.id, "iommu.off");
    }
}
