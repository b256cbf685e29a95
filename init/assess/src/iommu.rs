use hardware::acpi::Dmar;
use hardware::{Group, Machine, Reading};

use crate::{Answer, Iommu, IommuVendor};

mod interrupts;
mod paths;
#[cfg(test)]
mod properties;
mod reach;
mod regions;
mod remapping;
mod summary;
mod tables;
mod translation;

pub(crate) use interrupts::unmapped_io_apics;
pub(crate) use paths::Resolved;
pub(crate) use reach::{Coverage, Reach, Reserved, ReservedSource};
pub(crate) use regions::KernelTold;
use remapping::remapping;
pub use summary::{AtsSummary, IommuUnitSummary, RegionSource, ReservedRegionSummary};
pub(crate) use tables::Tables;
pub(crate) use translation::Translation;

/// What firmware and kernel say about the IOMMU, each answer with its evidence.
pub(crate) struct IommuState {
    pub summary: Iommu,
    /// The tables, parsed.
    pub tables: Tables,
    /// What they say about the functions of this machine.
    pub reach: Reach,
    /// The functions whose reserved memory the kernel has told. For others the tables say what it would tell.
    pub kernel_told: KernelTold,
    /// What tells whether firmware describes an IOMMU.
    pub firmware_evidence: Vec<String>,
    /// What tells whether the kernel uses it.
    pub active_evidence: Vec<String>,
    /// What tells whether interrupts are remapped.
    pub remapping_evidence: Vec<String>,
}

impl IommuState {
    pub fn of(machine: &Machine) -> Self {
        let (described, firmware, firmware_evidence) = firmware(machine);
        let (active, active_evidence) = active(machine);
        let vendor = described
            .or_else(|| vendor_by_units(machine))
            .unwrap_or(IommuVendor::None);
        // A registered unit of these drivers was found in a table, even where we may not read tables.
        let firmware = match (firmware, vendor, active) {
            (Answer::Unknown, IommuVendor::Intel | IommuVendor::Amd, Answer::Yes) => Answer::Yes,
            (firmware, _, _) => firmware,
        };
        let tables = Tables::of(machine);
        let reach = Reach::of(machine, &tables);
        let kernel_told = KernelTold::of(machine, active);
        let (interrupt_remapping, remapping_evidence) =
            remapping(machine, &tables, vendor, firmware);
        Self {
            summary: Iommu {
                vendor,
                firmware,
                active,
                interrupt_remapping,
                x2apic_opt_out: tables
                    .dmar()
                    .is_some_and(|dmar| dmar.flags & Dmar::X2APIC_OPT_OUT != 0),
                dma_opt_in: summary::dma_opt_in(&tables),
                address_width: summary::address_width(&tables),
                units: machine.iommu_units.known().cloned().unwrap_or_default(),
                unit_details: summary::units(machine, &tables, &reach, interrupt_remapping),
                ats: summary::ats(&reach),
                reserved_regions: regions::summaries(machine, &reach, &kernel_told),
            },
            tables,
            reach,
            kernel_told,
            firmware_evidence,
            active_evidence,
            remapping_evidence,
        }
    }
}

/// Tables by which firmware describes an IOMMU, and whose it is.
const TABLES: &[(&str, IommuVendor)] = &[
    ("DMAR", IommuVendor::Intel),
    ("IVRS", IommuVendor::Amd),
    ("VIOT", IommuVendor::None),
];

fn firmware(machine: &Machine) -> (Option<IommuVendor>, Answer, Vec<String>) {
    const PLACE: &str = "/sys/firmware/acpi/tables";
    let tables = match &machine.tables {
        Reading::Known(tables) => tables,
        Reading::Absent => return (None, Answer::No, vec![format!("{PLACE} is not there")]),
        Reading::Unknown(why) => {
            return (None, Answer::Unknown, vec![format!("ACPI tables: {why}")]);
        }
    };
    let mut evidence = Vec::new();
    let mut vendor = None;
    for (signature, its_vendor) in TABLES {
        let line = match tables.get(*signature) {
            Some(Reading::Known(bytes)) => {
                format!("ACPI table {signature} is there ({} bytes)", bytes.len())
            }
            Some(Reading::Unknown(why)) => {
                format!("ACPI table {signature} is there, its content was not read: {why}")
            }
            Some(Reading::Absent) | None => continue,
        };
        evidence.push(line);
        vendor = vendor.or(Some(*its_vendor));
    }
    if vendor.is_some() {
        return (vendor, Answer::Yes, evidence);
    }
    let line = format!(
        "no DMAR and no IVRS among the {} ACPI tables under {PLACE}",
        tables.len()
    );
    (None, Answer::No, vec![line])
}

fn active(machine: &Machine) -> (Answer, Vec<String>) {
    let grouped = machine
        .groups
        .known()
        .map_or(0, |groups| groups.iter().filter(has_members).count());
    let groups_line = format!("{grouped} IOMMU groups under /sys/kernel/iommu_groups");
    match &machine.iommu_units {
        Reading::Known(units) if !units.is_empty() => {
            let line = format!("/sys/class/iommu has {}", units.join(", "));
            (Answer::Yes, vec![line])
        }
        Reading::Known(_) | Reading::Absent => {
            let line = match machine.iommu_units {
                Reading::Absent => "/sys/class/iommu is not there",
                _ => "/sys/class/iommu is empty",
            };
            // Devices in groups without a unit: an incomplete copy of /sys, or VFIO's mode without an
            // IOMMU. Neither tells.
            let answer = if grouped > 0 {
                Answer::Unknown
            } else {
                Answer::No
            };
            let contradiction = (grouped > 0).then_some(groups_line);
            let lines = [line.to_owned()].into_iter().chain(contradiction);
            (answer, lines.collect())
        }
        Reading::Unknown(_) if grouped > 0 => (Answer::Yes, vec![groups_line]),
        Reading::Unknown(why) => (Answer::Unknown, vec![format!("IOMMU units: {why}")]),
    }
}

fn has_members(group: &&Group) -> bool {
    !group.functions.is_empty()
}

fn vendor_by_units(machine: &Machine) -> Option<IommuVendor> {
    let units = machine.iommu_units.known()?;
    units.iter().find_map(|unit| {
        if unit.starts_with("dmar") {
            Some(IommuVendor::Intel)
        } else if unit.starts_with("ivhd") {
            Some(IommuVendor::Amd)
        } else {
            None
        }
    })
}
