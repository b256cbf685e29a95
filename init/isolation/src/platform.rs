use hardware::Function;
use pci::{Address, ClassCode};

/// What firmware's tables (DMAR, IVRS) add to the rule: which functions an IOMMU covers, and which requester
/// ids it has others use.
#[derive(Clone, Copy)]
pub struct Platform<'a> {
    /// Whether an IOMMU translates for this function. What no unit covers is in no group.
    pub covers: &'a dyn Fn(&Function) -> bool,
    /// The requester id that IVRS names for this function (IVHD entries 0x42 and 0x43). The kernel takes it
    /// for a group when it is on the same bus (`setup_aliases`, drivers/iommu/amd/iommu.c).
    pub alias: &'a dyn Fn(Address) -> Option<Address>,
}

impl Default for Platform<'_> {
    /// Everything is covered but the IOMMU units themselves (class 08.06, AMD shows them as functions), and
    /// nothing has an alias.
    fn default() -> Self {
        Self {
            covers: &|function| !is_iommu(function.class),
            alias: &|_| None,
        }
    }
}

/// An IOMMU (class 08.06).
pub(crate) fn is_iommu(class: ClassCode) -> bool {
    (class.base(), class.sub()) == (0x08, 0x06)
}
