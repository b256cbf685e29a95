use hardware::acpi::Dmar;
use hardware::{Machine, Reading};

use super::dmar_flags;
use crate::kernel::{KernelView, contains};
use crate::{Answer, IommuVendor};

/// What the kernel says about interrupt remapping. Of several lines the last one counts: VFIO speaks
/// long after the IOMMU's driver.
const KERNEL_SAYS: &[(&str, Answer)] = &[
    ("Enabled IRQ remapping in", Answer::Yes),
    ("AMD-Vi: Interrupt remapping enabled", Answer::Yes),
    ("Failed to enable irq remapping", Answer::No),
    ("interrupt remapping is being disabled", Answer::No),
    ("Disabling interrupt remapping", Answer::No),
    ("interrupt remapping disabled", Answer::No),
    ("irq remapping disabled", Answer::No),
    ("No interrupt remapping support", Answer::No),
];

/// Whether interrupts are remapped: by the command line, by the kernel's word, or by the firmware's
/// flag, which alone can only say no.
pub(super) fn remapping(
    machine: &Machine,
    vendor: IommuVendor,
    firmware: Answer,
) -> (Answer, Vec<String>) {
    let kernel = KernelView(&machine.kernel);
    let switched_off = kernel
        .option_with("intremap", "off")
        .or_else(|| kernel.options("nointremap").next());
    if let Some(word) = switched_off {
        return (Answer::No, vec![format!("kernel command line: {word}")]);
    }
    if let Some((answer, line)) = kernel_says(machine) {
        return (answer, vec![format!("kernel log: {line}")]);
    }
    if firmware == Answer::No {
        let line = "firmware describes no IOMMU, so there is nothing that remaps interrupts";
        return (Answer::No, vec![line.to_owned()]);
    }
    let silent = match &machine.kernel.log {
        Reading::Known(_) => "the kernel log has no line about interrupt remapping".to_owned(),
        Reading::Absent => "there is no kernel log".to_owned(),
        Reading::Unknown(why) => format!("kernel log: {why}"),
    };
    let (answer, flag) = by_flag(machine, vendor);
    (answer, [silent].into_iter().chain(flag).collect())
}

fn kernel_says(machine: &Machine) -> Option<(Answer, &str)> {
    machine.kernel.log.known()?.iter().rev().find_map(|line| {
        KERNEL_SAYS
            .iter()
            .find(|(text, _)| contains(line, text))
            .map(|(_, answer)| (*answer, line.as_str()))
    })
}

fn by_flag(machine: &Machine, vendor: IommuVendor) -> (Answer, Option<String>) {
    match (vendor, dmar_flags(machine)) {
        (IommuVendor::Intel, Some(flags)) if flags & Dmar::INTR_REMAP == 0 => {
            let line = format!("DMAR flags {flags:#04x}: bit 0, interrupt remapping, is clear");
            (Answer::No, Some(line))
        }
        (IommuVendor::Intel, Some(flags)) => {
            let line = format!(
                "DMAR flags {flags:#04x}: firmware offers interrupt remapping, which does not say \
                 that the kernel uses it"
            );
            (Answer::Unknown, Some(line))
        }
        _ => (Answer::Unknown, None),
    }
}
