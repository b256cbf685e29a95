use std::collections::BTreeMap;

use hardware::{Function, Machine};
use isolation::{Override, Platform, Predictor};
use pci::{Address, ClassCode};

use super::{Coverage, IommuState};

/// What the firmware's tables add to the kernel's grouping rule: functions that no unit covers are in no
/// group, and requester ids that IVRS gives to others join their owners' groups.
pub(crate) struct Translation {
    uncovered: Vec<Address>,
    aliases: BTreeMap<Address, Address>,
}

impl Translation {
    pub fn of(machine: &Machine, iommu: &IommuState) -> Self {
        let coverage = iommu.reach.coverage.iter();
        let uncovered = coverage.filter(|(_, coverage)| **coverage == Coverage::Nothing);
        Self {
            uncovered: uncovered.map(|(address, _)| *address).collect(),
            aliases: aliases(machine, iommu),
        }
    }

    /// The kernel's rules at work on this machine under this override.
    pub fn predictor<'a>(&self, machine: &'a Machine, what: &Override) -> Predictor<'a> {
        self.on_platform(|platform| Predictor::new(machine, what, platform))
    }

    /// The same under another override.
    pub fn under<'a>(&self, predictor: &Predictor<'a>, what: &Override) -> Predictor<'a> {
        self.on_platform(|platform| predictor.under(what, platform))
    }

    fn on_platform<T>(&self, predict: impl FnOnce(&Platform) -> T) -> T {
        predict(&Platform {
            covers: &|function| {
                !is_iommu(function.class)
                    && self.uncovered.binary_search(&function.address).is_err()
            },
            alias: &|address| self.aliases.get(&address).copied(),
        })
    }
}

/// An IOMMU (class 08.06) does not translate for itself.
fn is_iommu(class: ClassCode) -> bool {
    (class.base(), class.sub()) == (0x08, 0x06)
}

/// The last entry that names a function counts: later ones overwrite earlier ones
/// (`set_dev_entry_from_acpi`, drivers/iommu/amd/init.c).
fn aliases(machine: &Machine, iommu: &IommuState) -> BTreeMap<Address, Address> {
    let mut aliases = BTreeMap::new();
    let units = iommu.tables.ivrs().map_or(&[][..], |ivrs| &ivrs.units);
    for unit in units {
        let ranges = unit.best().map(|block| block.ranges()).unwrap_or_default();
        for range in ranges {
            let Some(alias) = range.alias else {
                continue;
            };
            let domain = u32::from(unit.segment);
            let meant = |function: &&Function| {
                function.address.domain == domain
                    && (range.first..=range.last).contains(&requester_id(function.address))
            };
            let functions = machine.functions.iter().filter(meant);
            aliases.extend(functions.map(|function| (function.address, address(domain, alias))));
        }
    }
    aliases
}

fn requester_id(address: Address) -> u16 {
    u16::from_be_bytes([address.bus, (address.device << 3) | (address.function & 7)])
}

fn address(domain: u32, id: u16) -> Address {
    let [bus, devfn] = id.to_be_bytes();
    Address {
        domain,
        bus,
        device: devfn >> 3,
        function: devfn & 7,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::tables::{amd_unit, dmar, endpoint, ivrs, unit};
    use crate::testing::{Builder, GPU, address};

    /// Beside the graphics card on its bus.
    const OTHER: &str = "01:01.0";

    /// With whom the function is in a group, where no kernel made any.
    fn group(machine: Builder, place: &str) -> Option<Vec<String>> {
        let assessment = machine.without_groups().assess();
        let own = address(place);
        let mut groups = assessment.groups.iter();
        let group = groups.find(|group| group.functions.contains(&own))?;
        Some(group.functions.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_no_unit_covers_is_predicted_to_be_in_no_group() {
        let machine = Builder::good();
        assert_eq!(group(machine.clone(), GPU).unwrap(), ["0000:01:00.0"]);
        let units = [unit(0, 0xfed9_0000, &[endpoint(0, &[0, 0])])];
        assert_eq!(group(machine.table("DMAR", dmar(1, &units)), GPU), None);
    }

    #[test]
    fn what_ivrs_gives_the_requester_id_of_another_joins_its_group() {
        let with = |entries: &[u8]| {
            let table = ivrs(&[amd_unit(2, entries)]);
            Builder::good()
                .amd()
                .add(OTHER, 0x04_03_00)
                .table("IVRS", table)
        };
        assert_eq!(group(with(&[1, 0, 0, 0]), OTHER).unwrap(), ["0000:01:01.0"]);
        // Alias select (0x42): device 01:01.0, source 01:00.0.
        let alias = [1, 0, 0, 0, 0x42, 8, 1, 0, 0, 0, 1, 0];
        let both = ["0000:01:00.0", "0000:01:01.0"];
        assert_eq!(group(with(&alias), OTHER).unwrap(), both);
    }
}
