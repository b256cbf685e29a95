use std::collections::BTreeMap;

use pci::Address;

use super::config;
use super::record::{Record, Sriov};

/// Gives every virtual function its physical one: the address of the first is that of the physical
/// function plus the offset, each next one a stride further (9.2.1.2).
pub(super) fn resolve(records: &mut [Record], places: &BTreeMap<Address, usize>) {
    let owners: Vec<(Address, Sriov)> = places
        .iter()
        .filter_map(|(address, place)| Some((*address, registers(records.get(*place)?))))
        .filter(|(_, sriov)| sriov.enabled.is_some_and(|enabled| enabled > 0))
        .collect();
    for (owner, sriov) in owners {
        let (Some(enabled), Some(offset)) = (sriov.enabled, sriov.offset) else {
            continue;
        };
        let stride = sriov.stride.unwrap_or(0);
        let first = number(owner).wrapping_add(offset);
        for index in 0..enabled {
            let address = at(owner, first.wrapping_add(stride.wrapping_mul(index)));
            if address == owner {
                continue;
            }
            let place = places.get(&address);
            if let Some(record) = place.and_then(|place| records.get_mut(*place)) {
                record.physical_function = Some(owner);
            }
            if stride == 0 {
                break;
            }
        }
    }
}

/// The printed registers, else the dumped ones.
fn registers(record: &Record) -> Sriov {
    let dumped = || config::sriov(record.config.as_ref()?).known().copied();
    match record.sriov.total {
        Some(_) => record.sriov,
        None => dumped().unwrap_or(record.sriov),
    }
}

/// Bus, device and function as the 16 bits of a requester id.
fn number(address: Address) -> u16 {
    u16::from(address.bus) << 8 | u16::from(address.device) << 3 | u16::from(address.function)
}

fn at(owner: Address, number: u16) -> Address {
    let [bus, rest] = number.to_be_bytes();
    Address {
        domain: owner.domain,
        bus,
        device: rest >> 3,
        function: rest & 7,
    }
}
