use hardware::acpi::Dmar;
use hardware::{Machine, Reading};

use super::interrupts::unmapped_io_apics;
use super::tables::Tables;
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
    ("interrupt remapping will be disabled", Answer::No),
    ("No interrupt remapping support", Answer::No),
];

/// Whether interrupts are remapped: by the command line, by the kernel's word, or by the firmware's
/// tables and registers, which alone can only say no.
pub(super) fn remapping(
    machine: &Machine,
    tables: &Tables,
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
    let hardware = cannot(machine, tables)
        .map(|line| (Answer::No, line))
        .or_else(|| offered(tables, vendor).map(|line| (Answer::Unknown, line)));
    match hardware {
        Some((answer, line)) => (answer, vec![silent, line]),
        None => (Answer::Unknown, vec![silent]),
    }
}

fn kernel_says(machine: &Machine) -> Option<(Answer, &str)> {
    machine.kernel.log.known()?.iter().rev().find_map(|line| {
        KERNEL_SAYS
            .iter()
            .find(|(text, _)| contains(line, text))
            .map(|(_, answer)| (*answer, line.as_str()))
    })
}

/// Why the kernel leaves interrupt remapping off on this hardware, whatever it is told
/// (drivers/iommu/intel/irq_remapping.c, `intel_prepare_irq_remapping`: one unit or IOAPIC that cannot is
/// enough).
fn cannot(machine: &Machine, tables: &Tables) -> Option<String> {
    if let Some(dmar) = tables.dmar()
        && dmar.flags & Dmar::INTR_REMAP == 0
    {
        let flags = dmar.flags;
        return Some(format!(
            "DMAR flags {flags:#04x}: bit 0, interrupt remapping, is clear"
        ));
    }
    let registers = machine.iommu_unit_registers.known().into_iter().flatten();
    let mut units = registers.filter_map(|unit| Some((&unit.name, unit.intel.known()?)));
    if let Some((name, unit)) = units.find(|(_, unit)| !unit.remaps_interrupts()) {
        let register = unit.extended_capability;
        return Some(format!(
            "{name}: extended capability register {register:#x}: bit 3, interrupt remapping, is clear"
        ));
    }
    let unmapped = unmapped_io_apics(machine, tables);
    (!unmapped.is_empty()).then(|| {
        let ids: Vec<_> = unmapped.iter().map(u8::to_string).collect();
        format!(
            "no IOMMU unit of the table is for the IOAPIC with id {}",
            ids.join(", ")
        )
    })
}

fn offered(tables: &Tables, vendor: IommuVendor) -> Option<String> {
    let flags = tables.dmar()?.flags;
    (vendor == IommuVendor::Intel).then(|| {
        format!(
            "DMAR flags {flags:#04x}: firmware offers interrupt remapping, which does not say that the \
             kernel uses it"
        )
    })
}
