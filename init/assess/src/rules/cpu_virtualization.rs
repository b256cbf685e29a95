use hardware::Reading;

use super::Rule;
use super::firmware_switch::{is_guest, switches};
use crate::context::Context;
use crate::kernel::contains;
use crate::{Finding, FindingId};

const MISSING: FindingId = FindingId::new("cpu.no-virtualization");
const LOCKED: FindingId = FindingId::new("cpu.virtualization-locked");
const UNKNOWN: FindingId = FindingId::new("cpu.unknown");

pub(super) const RULE: Rule = Rule {
    ids: &[MISSING, LOCKED, UNKNOWN],
    judge,
};

/// What the kernel says where firmware has locked the processor's virtualisation.
const LOCKED_LINES: &[&str] = &[
    "vmx (outside txt) disabled by bios",
    "vmx disabled by bios",
    "vmx not enabled (by bios)",
    "svm disabled (by bios)",
    "kvm: disabled by bios",
    "support for 'kvm_intel' disabled by bios",
    "support for 'kvm_amd' disabled by bios",
];

fn judge(ctx: &Context) -> Vec<Finding> {
    let machine = ctx.machine;
    let switches = switches(machine);
    let switch = switches.virtualization;
    let others = format!("While you are there: {}.", switches.others);
    // Where firmware locks it the kernel also clears the flag, so the log is asked first.
    if let Some(line) = locked_line(ctx) {
        let summary = "The firmware has locked the processor's virtualisation: this machine cannot \
                       run guests with KVM until it is switched on there.";
        return vec![
            Finding::caution(LOCKED, None, summary)
                .seen(format!("kernel log: {line}"))
                .remedy(format!(
                    "In the firmware setup switch on {switch}, and turn the machine off and on again. {others}"
                )),
        ];
    }
    let flags = "/proc/cpuinfo has neither the flag vmx nor svm";
    let finding = match &machine.cpu.virtualization {
        Reading::Known(true) => return Vec::new(),
        Reading::Known(false) | Reading::Absent if is_guest(machine) => Finding::note(
            MISSING,
            None,
            "This virtual machine has no hardware virtualisation of its own: it cannot run guests \
             with KVM.",
        )
        .seen(flags)
        .seen("/proc/cpuinfo has the flag hypervisor")
        .remedy(
            "Switch nested virtualisation on in the hypervisor below, if guests are to run here.",
        ),
        Reading::Known(false) | Reading::Absent => Finding::caution(
            MISSING,
            None,
            "The processor shows no hardware virtualisation: this machine cannot run guests with \
             KVM until it does.",
        )
        .seen(flags)
        .remedy(format!(
            "In the firmware setup switch on {switch}; if there is no such switch, the processor \
             cannot. {others}"
        )),
        Reading::Unknown(why) => Finding::note(
            UNKNOWN,
            None,
            "Whether the processor can run guests with KVM could not be read.",
        )
        .seen(format!("processor flags: {why}")),
    };
    vec![finding]
}

fn locked_line<'a>(ctx: &Context<'a>) -> Option<&'a str> {
    let log = ctx.machine.kernel.log.known()?;
    log.iter()
        .find(|line| LOCKED_LINES.iter().any(|text| contains(line, text)))
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use crate::{Severity, Verdict};

    #[test]
    fn a_processor_with_virtualisation_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_real_processor_without_it_is_a_caution_on_every_card() {
        let machine = Builder::good().virtualization(Reading::Known(false));
        assert_eq!(machine.clone().only(&RULE).severity, Severity::Caution);
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn inside_a_hypervisor_it_is_a_note() {
        let machine = Builder::good()
            .guest()
            .virtualization(Reading::Known(false));
        assert_eq!(machine.clone().only(&RULE).severity, Severity::Note);
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn a_lock_is_told_from_a_processor_that_cannot() {
        for line in [
            "x86/cpu: VMX (outside TXT) disabled by BIOS",
            "kvm: disabled by bios",
            "kvm_amd: SVM disabled (by BIOS) in MSR_VM_CR on CPU 0",
        ] {
            let found = Builder::good()
                .virtualization(Reading::Known(false))
                .log(&[line])
                .only(&RULE);
            assert_eq!(found.id, "cpu.virtualization-locked", "{line}");
            assert!(found.remedy.unwrap().contains("VT-d"), "{line}");
        }
        let apic = Builder::good().log(&["Local APIC disabled by BIOS -- reenabling."]);
        assert!(apic.findings_of(&RULE).is_empty());
    }

    #[test]
    fn what_could_not_be_read_decides_no_verdict() {
        let machine = Builder::good().virtualization(Reading::Unknown("no /proc".into()));
        assert_eq!(machine.clone().only(&RULE).id, "cpu.unknown");
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }
}
