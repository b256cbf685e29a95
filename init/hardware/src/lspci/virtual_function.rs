use std::collections::BTreeMap;

use pci::{Address, ConfigSpace};

use super::config;
use super::record::{Record, Sriov};

/// Gives every virtual function its physical one: the address of the first is that of the physical
/// function plus the offset, each next one a stride further (9.2.1.2).
pub(super) fn resolve(records: &mut BTreeMap<Address, Record>) {
    let owners: Vec<(Address, Sriov)> = records
        .iter()
        .map(|(address, record)| (*address, registers(record)))
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
            if let Some(record) = records.get_mut(&address) {
                record.physical_function = Some(owner);
            }
            if stride == 0 {
                break;
            }
        }
    }
}

/// The printed registers, else the dumped ones.
pub(super) fn registers(record: &Record) -> Sriov {
    if record.sriov.total.is_some() || record.dump.len() <= 256 {
        return record.sriov;
    }
    let config = ConfigSpace::new(record.dump.clone());
    config::sriov(&config).known().copied().unwrap_or_default()
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
