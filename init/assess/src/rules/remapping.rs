use super::Rule;
use super::firmware_switch::{is_guest, switches};
use crate::context::Context;
use crate::{Answer, Finding, FindingId};

const MISSING: FindingId = FindingId::new("remapping.missing");
const ALLOWED: FindingId = FindingId::new("remapping.unsafe-allowed");
const UNKNOWN: FindingId = FindingId::new("remapping.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[MISSING, ALLOWED, UNKNOWN],
    judge,
};

const COST: &str = "a guest that owns a device can then send any interrupt to the host, so only with \
                    guests that you trust like the host itself";

fn judge(ctx: &Context) -> Vec<Finding> {
    let state = &ctx.iommu.summary;
    let finding = match (state.active, state.interrupt_remapping) {
        // An IOMMU that is off or unread is the finding; what it would do with interrupts is noise.
        (Answer::No, _) | (_, Answer::Yes) | (Answer::Unknown, Answer::Unknown) => {
            return Vec::new();
        }
        (_, Answer::No) => missing(ctx),
        (Answer::Yes, Answer::Unknown) => Finding::undecided(
            UNKNOWN,
            None,
            "Whether interrupts of devices are remapped could not be read.",
        )
        .remedy(
            "Read the kernel log as root, soon after the start: 'dmesg | grep -i remapping' shows \
             'Enabled IRQ remapping' (Intel) or 'Interrupt remapping enabled' (AMD).",
        ),
    };
    let judged_by = format!("judged by {}", ctx.kernel().name());
    let evidence = ctx.iommu.remapping_evidence.iter().cloned();
    vec![finding.seen_all(evidence).seen(judged_by)]
}

fn missing(ctx: &Context) -> Finding {
    if let Some(word) = unsafe_interrupts(ctx) {
        let summary = "Interrupts of devices are not remapped, and VFIO is told to go on without.";
        return Finding::caution(ALLOWED, None, summary)
            .seen(format!("kernel command line: {word}"))
            .remedy(format!("Leave it so only if you accept the price: {COST}."));
    }
    let summary = "Interrupts of devices are not remapped: VFIO refuses to attach them to a guest.";
    Finding::blocks(MISSING, None, summary).remedy(remedy(ctx))
}

/// The option under which VFIO attaches devices without interrupt remapping.
fn unsafe_interrupts<'a>(ctx: &Context<'a>) -> Option<&'a str> {
    let name = "vfio_iommu_type1.allow_unsafe_interrupts";
    ["1", "y", "Y"]
        .iter()
        .find_map(|value| ctx.kernel().option_with(name, value))
}

fn remedy(ctx: &Context) -> String {
    let last_resort = format!(
        "The last resort is 'options vfio_iommu_type1 allow_unsafe_interrupts=1' in \
         /etc/modprobe.d: {COST}."
    );
    let kernel = ctx.kernel();
    let switched_off = kernel
        .option_with("intremap", "off")
        .or_else(|| kernel.options("nointremap").next());
    if let Some(word) = switched_off {
        return format!("Take '{word}' off the kernel command line. {last_resort}");
    }
    if is_guest(ctx.machine) {
        return format!(
            "This is a virtual machine: give its virtual IOMMU interrupt remapping (QEMU: \
             'intremap=on'). {last_resort}"
        );
    }
    format!(
        "In the firmware setup look for interrupt remapping or x2APIC beside {}, and update the \
         firmware. {last_resort}",
        switches(ctx.machine).iommu
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use crate::{Severity, Verdict};

    #[test]
    fn the_kernels_word_that_it_is_enabled_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
        let amd = Builder::good().amd();
        assert!(amd.findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_clear_flag_without_the_kernels_word_blocks_and_the_price_is_named() {
        let found = Builder::good().log(&[]).dmar_flags(0).only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("remapping.missing", Severity::Blocks)
        );
        let remedy = found.remedy.unwrap();
        assert!(remedy.contains("allow_unsafe_interrupts=1") && remedy.contains("trust"));
    }

    #[test]
    fn a_set_flag_without_the_kernels_word_is_unknown() {
        for machine in [
            Builder::good().log(&[]).dmar_flags(1),
            Builder::good().log_unread().dmar_flags(5),
            Builder::good().amd().log_unread(),
        ] {
            let found = machine.clone().only(&RULE);
            assert!(found.unknown && found.id == "remapping.unknown");
            assert_eq!(machine.gpu_verdict(), Verdict::Unknown);
        }
    }

    #[test]
    fn one_unit_whose_register_says_that_it_cannot_is_enough() {
        let unit = |name: &str, extended_capability| hardware::IommuUnit {
            name: name.to_owned(),
            intel: hardware::Reading::Known(hardware::VtdUnit {
                address: 0xfed9_0000,
                version: (1, 0),
                capability: 0,
                extended_capability,
            }),
            amd: hardware::Reading::Absent,
        };
        let mut machine = Builder::good().log(&[]).dmar_flags(1);
        let units = vec![unit("dmar0", 0xf_0101a), unit("dmar1", 0xf_01012)];
        machine.machine.iommu_unit_registers = hardware::Reading::Known(units);
        let found = machine.clone().only(&RULE);
        assert_eq!(found.id, "remapping.missing");
        assert!(
            found.evidence[1].starts_with("dmar1: extended capability register 0xf01012: bit 3")
        );

        machine.machine.iommu_unit_registers =
            hardware::Reading::Known(vec![unit("dmar0", 0xf_0101a)]);
        assert_eq!(machine.only(&RULE).id, "remapping.unknown");
    }

    #[test]
    fn the_kernels_word_outweighs_the_flag() {
        let enabled = "DMAR-IR: Enabled IRQ remapping in x2apic mode";
        assert!(
            Builder::good()
                .dmar_flags(0)
                .log(&[enabled])
                .findings_of(&RULE)
                .is_empty()
        );
        for refusal in [
            "DMAR-IR: Failed to enable irq remapping. You are vulnerable to irq-injection attacks.",
            "AMD-Vi: Disabling interrupt remapping",
            "vfio_iommu_type1_attach_group: No interrupt remapping support.",
        ] {
            let found = Builder::good().log(&[enabled, refusal]).only(&RULE);
            assert_eq!(found.id, "remapping.missing", "{refusal}");
        }
    }

    #[test]
    fn an_option_that_switches_it_off_is_named_in_the_remedy() {
        for option in ["intremap=off", "nointremap", "intremap=nosid,off"] {
            let found = Builder::good().command_line(option).only(&RULE);
            assert!(found.remedy.unwrap().contains(option));
        }
    }

    #[test]
    fn a_host_that_allows_unsafe_interrupts_gets_a_caution() {
        let found = Builder::good()
            .log(&[])
            .dmar_flags(0)
            .command_line("vfio_iommu_type1.allow_unsafe_interrupts=1")
            .only(&RULE);
        assert_eq!(found.severity, Severity::Caution);
        assert_eq!(found.id, "remapping.unsafe-allowed");
    }

    #[test]
    fn an_iommu_that_is_off_is_not_asked_about_interrupts() {
        assert!(
            Builder::good()
                .without_iommu()
                .findings_of(&RULE)
                .is_empty()
        );
    }
}
