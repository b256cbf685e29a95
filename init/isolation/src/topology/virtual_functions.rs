use std::collections::BTreeMap;

use hardware::Function;
use pci::{Address, ConfigSpace, SrIov};

use super::devfn;

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
        let ids = function.config.known().and_then(enabled);
        let (Some(ids), (domain, own)) = (ids, routing(function.address)) else {
            continue;
        };
        let Some(first) = own.checked_add(ids.first_vf_offset) else {
            continue;
        };
        let last = ids.vf_stride.saturating_mul(ids.num_vfs.saturating_sub(1));
        let last = first.saturating_add(last);
        for ((_, id), address) in untold.range((domain, first)..=(domain, last)) {
            let on_stride = (id - first)
                .checked_rem(ids.vf_stride)
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
    let id = u16::from_be_bytes([address.bus, devfn(address)]);
    (address.domain, id)
}

/// The SR-IOV capability of a function whose virtual functions are enabled.
fn enabled(config: &ConfigSpace) -> Option<SrIov> {
    let found = config.sriov()??;
    let any = found.control.enabled() && found.num_vfs > 0 && found.first_vf_offset > 0;
    any.then_some(found)
}
