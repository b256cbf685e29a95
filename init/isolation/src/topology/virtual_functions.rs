use std::collections::BTreeMap;

use hardware::Function;
use pci::{Address, ConfigSpace};

/// Extended capability id of SR-IOV (PCI Express Base specification, 9.3.3).
const SR_IOV: u16 = 0x0010;

/// Virtual functions and the physical function of each. Where sysfs does not tell, the SR-IOV capability of
/// the physical function does.
pub(super) fn physical_functions(functions: &[&Function]) -> BTreeMap<Address, Address> {
    let mut found: BTreeMap<Address, Address> = functions
        .iter()
        .filter_map(|function| Some((function.address, *function.physical_function.known()?)))
        .collect();
    let untold: BTreeMap<(u32, u16), Address> = functions
        .iter()
        .filter(|function| function.physical_function.is_unknown())
        .map(|function| (routing(function.address), function.address))
        .collect();
    if untold.is_empty() {
        return found;
    }
    for function in functions {
        let ids = function.config.known().and_then(SrIov::of);
        let (Some(ids), (domain, own)) = (ids, routing(function.address)) else {
            continue;
        };
        let Some(first) = own.checked_add(ids.offset) else {
            continue;
        };
        let last = ids.stride.saturating_mul(ids.count.saturating_sub(1));
        let last = first.saturating_add(last);
        for ((_, id), address) in untold.range((domain, first)..=(domain, last)) {
            let on_stride = (id - first)
                .checked_rem(ids.stride)
                .is_none_or(|rest| rest == 0);
            if on_stride && *address != function.address {
                found.insert(*address, function.address);
            }
        }
    }
    found
}

/// Domain and requester id.
fn routing(address: Address) -> (u32, u16) {
    let devfn = (address.device << 3) | (address.function & 7);
    (address.domain, u16::from_be_bytes([address.bus, devfn]))
}

/// Where the virtual functions of a physical one are, while they are enabled.
struct SrIov {
    count: u16,
    offset: u16,
    stride: u16,
}

impl SrIov {
    fn of(config: &ConfigSpace) -> Option<Self> {
        if config.is_gone() {
            return None;
        }
        let list = config.extended_capabilities()?;
        let at = list.iter().find(|entry| entry.id == SR_IOV)?.offset;
        let enabled = config.u16(at + 0x08)? & 1 != 0;
        let count = config.u16(at + 0x10)?;
        let found = Self {
            count,
            offset: config.u16(at + 0x14)?,
            stride: config.u16(at + 0x16)?,
        };
        (enabled && count > 0 && found.offset > 0).then_some(found)
    }
}
