use hardware::acpi::Dmar;
use hardware::{IommuUnit, Machine, VtdUnit};
use pci::Address;
use serde::{Deserialize, Serialize};

use super::reach::{Reach, Unit};
use super::tables::Tables;
use crate::Answer;

/// One IOMMU unit, by the table and by its registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IommuUnitSummary {
    /// Its name under /sys/class/iommu; none while no driver uses it.
    pub name: Option<String>,
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// Address of its registers, as `0x...`.
    pub address: String,
    /// It takes every function of its segment that no other unit names.
    pub takes_the_rest: bool,
    /// Whether it can remap interrupts.
    pub interrupt_remapping: Answer,
    /// Whether it can do so in x2APIC mode.
    pub x2apic: Answer,
    /// Bits of an address that it translates; none when its registers were not read.
    pub address_width: Option<u8>,
    /// Version of its registers, as `major.minor`.
    pub version: Option<String>,
    /// The functions whose requests go through it.
    pub functions: Vec<Address>,
}

/// For what the firmware allows address translation services (DMAR: ATSR, SATC).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtsSummary {
    /// Segments all of whose root ports may.
    pub all_root_ports: Vec<u16>,
    /// Single root ports that may.
    pub root_ports: Vec<Address>,
    /// Integrated functions with a translation cache of their own.
    pub integrated: Vec<Address>,
}

/// A range that firmware wants mapped for some functions. Bounds inclusive, as `0x...`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedRegionSummary {
    /// First address.
    pub start: String,
    /// Last address.
    pub end: String,
    /// The kernel's word: `direct` blocks, `direct-relaxable` does not.
    pub kind: String,
    /// Functions it is for.
    pub functions: Vec<Address>,
    /// Who says so; the kernel where nothing stands.
    #[serde(default, skip_serializing_if = "RegionSource::is_kernel")]
    pub source: RegionSource,
}

/// Who says that a range is reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegionSource {
    /// The running kernel, for a whole group.
    #[default]
    Kernel,
    /// The firmware's table, read by the kernel's rules, for functions about which the kernel said nothing.
    Table,
}

impl RegionSource {
    fn is_kernel(&self) -> bool {
        *self == Self::Kernel
    }
}

/// Whether firmware asks the kernel to keep DMA remapping on: DMAR flags bit 2, IVinfo bit 1.
pub(super) fn dma_opt_in(tables: &Tables) -> Answer {
    let dmar = tables
        .dmar()
        .map(|dmar| dmar.flags & Dmar::DMA_CTRL_PLATFORM_OPT_IN != 0);
    let ivrs = || {
        tables
            .ivrs()
            .map(|ivrs| ivrs.iv_info.dma_remapping_opt_in())
    };
    dmar.or_else(ivrs).map_or(Answer::Unknown, yes_or_no)
}

/// Bits of a physical address that devices can use.
pub(super) fn address_width(tables: &Tables) -> Option<u16> {
    let dmar = tables.dmar().map(|dmar| dmar.host_address_width);
    let ivrs = || {
        let info = tables.ivrs()?.iv_info;
        Some(info.physical_address_width().into())
    };
    dmar.or_else(ivrs)
}

pub(super) fn ats(reach: &Reach) -> AtsSummary {
    let services = &reach.translation;
    AtsSummary {
        all_root_ports: services.all_ports.clone(),
        root_ports: services.root_ports.clone(),
        integrated: services.integrated.clone(),
    }
}

/// The units of the table, each with its registers where a driver shows them.
pub(super) fn units(
    machine: &Machine,
    tables: &Tables,
    reach: &Reach,
    remapping: Answer,
) -> Vec<IommuUnitSummary> {
    let registered = machine.iommu_unit_registers.known();
    let registered = registered.map_or(&[][..], Vec::as_slice);
    let each = reach.units.iter().enumerate();
    each.map(|(index, unit)| {
        let registered = registered
            .iter()
            .find(|registered| is_of(registered, index, unit, tables));
        let vtd = registered.and_then(|registered| registered.intel.known());
        IommuUnitSummary {
            name: registered.map(|registered| registered.name.clone()),
            segment: unit.segment,
            address: format!("{:#x}", unit.register_base),
            takes_the_rest: unit.takes_the_rest,
            interrupt_remapping: match tables.dmar() {
                Some(dmar) => intel_remapping(dmar, vtd),
                // Every AMD unit can; whether this one does is the kernel's to say.
                None => remapping,
            },
            x2apic: x2apic(tables, index, vtd),
            address_width: vtd.map(VtdUnit::guest_address_width),
            version: vtd.map(|vtd| format!("{}.{}", vtd.version.0, vtd.version.1)),
            functions: reach.functions_of(index).collect(),
        }
    })
    .collect()
}

/// Whether a registered unit is this one of the table: Intel's by the address of its registers; AMD's, which
/// shows none, by its number, which the kernel gives in the table's order.
fn is_of(registered: &IommuUnit, index: usize, unit: &Unit, tables: &Tables) -> bool {
    match registered.intel.known() {
        Some(vtd) => vtd.address == unit.register_base,
        None => tables.ivrs().is_some() && registered.name == format!("ivhd{index}"),
    }
}

fn intel_remapping(dmar: &Dmar, vtd: Option<&VtdUnit>) -> Answer {
    if dmar.flags & Dmar::INTR_REMAP == 0 {
        return Answer::No;
    }
    vtd.map_or(Answer::Unknown, |vtd| yes_or_no(vtd.remaps_interrupts()))
}

/// Intel: extended capability register, bit 4. AMD: extended feature register, bit 2 (XTSup), of which the
/// table has an image.
fn x2apic(tables: &Tables, index: usize, vtd: Option<&VtdUnit>) -> Answer {
    let image = || {
        let unit = tables.ivrs()?.units.get(index)?;
        unit.best()?.extended_features
    };
    let intel = vtd.map(VtdUnit::supports_x2apic);
    let amd = || image().map(|features| features & 1 << 2 != 0);
    intel.or_else(amd).map_or(Answer::Unknown, yes_or_no)
}

fn yes_or_no(yes: bool) -> Answer {
    if yes { Answer::Yes } else { Answer::No }
}

#[cfg(test)]
mod tests {
    use hardware::{AmdViUnit, Reading};

    use super::*;
    use crate::Iommu;
    use crate::testing::tables::{amd_unit, atsr, dmar, endpoint, ivmd, ivrs, scope, unit};
    use crate::testing::{Builder, GPU, PORT, address};

    fn iommu(machine: &Builder) -> Iommu {
        machine.assess().iommu
    }

    fn registered(name: &str, address: u64, extended_capability: u64) -> IommuUnit {
        IommuUnit {
            name: name.to_owned(),
            intel: Reading::Known(VtdUnit {
                address,
                version: (1, 0),
                capability: 38 << 16,
                extended_capability,
            }),
            amd: Reading::Absent,
        }
    }

    #[test]
    fn each_unit_has_its_functions_and_what_its_own_registers_can() {
        let units = [
            unit(0, 0xfed9_0000, &[endpoint(0, &[1, 0, 0, 0])]),
            unit(1, 0xfed9_1000, &[]),
        ];
        let mut machine = Builder::good().table("DMAR", dmar(5, &units));
        // Registered in another order than the table's.
        machine.machine.iommu_unit_registers = Reading::Known(vec![
            registered("dmar0", 0xfed9_1000, 0xf_0105a),
            registered("dmar1", 0xfed9_0000, 0xf_01000),
        ]);
        let iommu = iommu(&machine);
        assert_eq!(
            (iommu.dma_opt_in, iommu.address_width),
            (Answer::Yes, Some(39))
        );
        let [card, rest] = &iommu.unit_details[..] else {
            panic!("{:#?}", iommu.unit_details)
        };
        assert_eq!(
            (card.name.as_deref(), card.interrupt_remapping),
            (Some("dmar1"), Answer::No)
        );
        assert_eq!(card.functions, [address(GPU)]);
        assert_eq!(
            (rest.interrupt_remapping, rest.x2apic),
            (Answer::Yes, Answer::Yes)
        );
        assert_eq!(rest.functions, [address("00:00.0"), address(PORT)]);
        assert!(rest.takes_the_rest && !card.takes_the_rest);
        assert_eq!(
            (rest.address_width, rest.version.as_deref()),
            (Some(39), Some("1.0"))
        );
    }

    #[test]
    fn a_unit_without_a_driver_has_a_table_s_word_alone() {
        let with_flags = |flags| {
            let mut units = iommu(&Builder::good().dmar_flags(flags)).unit_details;
            units.remove(0)
        };
        let offered = with_flags(1);
        assert_eq!(
            (offered.name, offered.interrupt_remapping),
            (None, Answer::Unknown)
        );
        assert_eq!(with_flags(0).interrupt_remapping, Answer::No);
        let unread = iommu(&Builder::good().tables_unread());
        assert_eq!(
            (unread.dma_opt_in, unread.unit_details),
            (Answer::Unknown, vec![])
        );
    }

    #[test]
    fn an_amd_unit_goes_by_its_number_and_by_the_kernel_s_word() {
        let all = amd_unit(0x0002, &[1, 0, 0, 0]);
        let range = ivmd(0x21, 1, (0x0100, 0), 0x1f00_0000, 0x1000);
        let mut machine = Builder::good().amd().table("IVRS", ivrs(&[all, range]));
        machine.machine.iommu_unit_registers = Reading::Known(vec![IommuUnit {
            name: "ivhd0".to_owned(),
            intel: Reading::Absent,
            amd: Reading::Known(AmdViUnit {
                capability: 0,
                features: vec![],
            }),
        }]);
        let iommu = iommu(&machine);
        let unit = &iommu.unit_details[0];
        assert_eq!(
            (unit.name.as_deref(), unit.interrupt_remapping),
            (Some("ivhd0"), Answer::Yes)
        );
        assert_eq!(unit.functions.len(), 3);
        assert_eq!(
            (iommu.address_width, iommu.dma_opt_in),
            (Some(48), Answer::No)
        );
    }

    #[test]
    fn root_ports_for_translation_services_are_resolved() {
        let ports = [
            unit(1, 0xfed9_0000, &[]),
            atsr(0, &[scope(2, 0, 0, &[1, 0]), scope(2, 0, 0, &[0x1c, 0])]),
            atsr(1, &[]),
        ];
        let ats = iommu(&Builder::good().table("DMAR", dmar(1, &ports))).ats;
        assert_eq!(ats.root_ports, [address(PORT)]);
        assert_eq!((ats.all_root_ports, ats.integrated), (vec![0], vec![]));
    }
}
