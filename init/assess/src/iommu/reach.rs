use std::collections::BTreeMap;

use hardware::{Function, Machine};
use pci::Address;

use super::paths::Resolved;
use super::tables::Tables;

mod amd;
mod intel;

/// What the tables say about the functions of this machine, whether the IOMMU is on or not.
#[derive(Default)]
pub(crate) struct Reach {
    /// The units, in the table's order.
    pub units: Vec<Unit>,
    /// The unit that each function's requests go through.
    pub coverage: BTreeMap<Address, Coverage>,
    /// Memory that the kernel keeps mapped one to one for some functions.
    pub reserved: Vec<Reserved>,
    /// Every device scope of a DMAR that names a PCI function.
    pub scopes: Vec<ScopeFact>,
    /// Root ports and integrated functions for which the table allows address translation services.
    pub translation: TranslationServices,
}

/// One unit as the table describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// PCI segment, the kernel's domain.
    pub segment: u16,
    /// Address of its registers.
    pub register_base: u64,
    /// It covers all functions of the segment that no other unit names.
    pub takes_the_rest: bool,
}

/// Which unit a function's requests go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// By its place in [`Reach::units`].
    Unit(usize),
    /// None: the kernel makes no IOMMU group for it.
    Nothing,
    /// It cannot be told, and why.
    Unknown(String),
}

/// One range of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reserved {
    /// First address.
    pub start: u64,
    /// Last address.
    pub end: u64,
    /// How the table calls it.
    pub source: ReservedSource,
    /// The functions, by address.
    pub functions: Vec<Address>,
}

/// The structure that reserves memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReservedSource {
    /// DMAR, reserved memory region.
    Rmrr,
    /// IVRS, memory definition.
    Ivmd,
}

/// A device scope, what holds it, and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScopeFact {
    /// The structure, for people.
    pub holder: String,
    /// Start bus and path, for people.
    pub path: String,
    /// The place in [`Reach::units`], where a unit holds it.
    pub unit: Option<usize>,
    pub resolved: Resolved,
}

/// For whom a DMAR allows address translation services (ATSR and SATC).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TranslationServices {
    /// Segments all of whose root ports do.
    pub all_ports: Vec<u16>,
    pub root_ports: Vec<Address>,
    pub integrated: Vec<Address>,
}

impl Reach {
    pub fn of(machine: &Machine, tables: &Tables) -> Self {
        match (tables.dmar(), tables.ivrs()) {
            (Some(dmar), _) => intel::reach(dmar, &machine.functions),
            (None, Some(ivrs)) => amd::reach(ivrs, &machine.functions),
            (None, None) => Self::default(),
        }
    }

    /// Ranges that this function must keep mapped.
    pub fn reserved_for(&self, address: Address) -> impl Iterator<Item = &Reserved> {
        self.reserved
            .iter()
            .filter(move |reserved| reserved.functions.binary_search(&address).is_ok())
    }

    /// The functions whose requests go through a unit.
    pub fn functions_of(&self, unit: usize) -> impl Iterator<Item = Address> {
        self.coverage
            .iter()
            .filter(move |(_, coverage)| **coverage == Coverage::Unit(unit))
            .map(|(address, _)| *address)
    }
}

impl ReservedSource {
    /// Whether the kernel lets the range go for this function (drivers/iommu/intel/iommu.c,
    /// `device_rmrr_is_relaxable`): Intel's driver takes the ranges of USB controllers and display devices
    /// for leftovers of the start. AMD's driver makes no such difference.
    pub fn is_relaxable(self, function: &Function) -> bool {
        self == Self::Rmrr && (function.class.is_usb() || function.class.base() == 0x03)
    }
}

impl std::fmt::Display for Reserved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = match self.source {
            ReservedSource::Rmrr => "DMAR reserved memory region (RMRR)",
            ReservedSource::Ivmd => "IVRS memory definition (IVMD)",
        };
        write!(f, "{source} {:#x}-{:#x}", self.start, self.end)
    }
}
