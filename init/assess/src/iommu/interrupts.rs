use hardware::acpi::{DeviceEntry, DeviceScope, Madt, ScopeKind, SpecialDevice};
use hardware::{Machine, Reading};

use super::tables::Tables;

/// Ids of the IOAPICs that the machine has and that no IOMMU unit of the table is for. With one of those the
/// kernel leaves interrupt remapping off (drivers/iommu/intel/irq_remapping.c, `parse_ioapics_under_ir`;
/// drivers/iommu/amd/init.c, `check_ioapic_information`). Empty where a table was not read.
pub(crate) fn unmapped_io_apics(machine: &Machine, tables: &Tables) -> Vec<u8> {
    let command_line = machine.kernel.command_line.known();
    // The kernel's option that mends such an IVRS.
    if command_line.is_some_and(|line| line.contains("ivrs_ioapic")) {
        return Vec::new();
    }
    let Some(mapped) = mapped(tables) else {
        return Vec::new();
    };
    let madt = machine
        .tables
        .known()
        .and_then(|tables| tables.get("APIC"))
        .and_then(Reading::known)
        .and_then(|bytes| Madt::parse(bytes).ok());
    let there = madt.map(|madt| madt.io_apics).unwrap_or_default();
    there
        .iter()
        .map(|io_apic| io_apic.id)
        .filter(|id| !mapped.contains(id))
        .collect()
}

fn mapped(tables: &Tables) -> Option<Vec<u8>> {
    let is_io_apic = |scope: &&DeviceScope| scope.kind == ScopeKind::IoApic;
    if let Some(dmar) = tables.dmar() {
        let scopes = dmar.units.iter().flat_map(|unit| &unit.scopes);
        return Some(
            scopes
                .filter(is_io_apic)
                .map(|scope| scope.enumeration_id)
                .collect(),
        );
    }
    let units = tables.ivrs()?.units.iter();
    let entries = units
        .filter_map(|unit| unit.best())
        .flat_map(|block| &block.entries);
    let handles = entries.filter_map(|entry| match entry {
        DeviceEntry::Special {
            device: SpecialDevice::IoApic,
            handle,
            ..
        } => Some(*handle),
        _ => None,
    });
    Some(handles.collect())
}
