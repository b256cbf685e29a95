use pci::{Address, FunctionId};

use crate::Function;

/// How firmware names the function that a ROM is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub address: Address,
    pub id: FunctionId,
    pub subsystem: Option<FunctionId>,
}

/// The address of the function that is meant. Firmware numbers buses before the kernel does, and the kernel
/// may number them anew: then ids that one function alone has, and that no other of firmware's names
/// claims, tell which one it is. Else the name stays as it is, and its function may be absent.
pub(super) fn owner(functions: &[Function], named: &Named, all: &[Named]) -> Address {
    let is_there = |address, id| {
        functions
            .iter()
            .any(|function| function.address == address && function.id == id)
    };
    if is_there(named.address, named.id) {
        return named.address;
    }
    let fits = |function: &&Function| {
        let board = function.subsystem.known();
        let same_board = named
            .subsystem
            .is_none_or(|named| board.is_none_or(|board| *board == named));
        function.id == named.id && same_board
    };
    let mut candidates = functions.iter().filter(fits);
    match (candidates.next(), candidates.next()) {
        (Some(only), None) if !is_claimed(all, named, only.address) => only.address,
        _ => named.address,
    }
}

/// Whether another name says this address outright, or could mean it just as well.
fn is_claimed(all: &[Named], named: &Named, address: Address) -> bool {
    all.iter().any(|other| {
        other.id == named.id && other.address != named.address
            || other.address == address && other != named
    })
}

/// A remark for where the copy was found, when firmware's name is another.
pub(super) fn remark(named: &Named, owner: Address) -> String {
    if named.address == owner {
        String::new()
    } else {
        format!(", where firmware calls the function {}", named.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: FunctionId = FunctionId::new(0x1002, 0x1638);

    fn at(address: &str) -> Address {
        address.parse().unwrap()
    }

    fn function(address: &str) -> Function {
        Function {
            id: ID,
            ..Function::unknown(at(address), "not part of this test")
        }
    }

    fn named(address: &str, device: u16) -> Named {
        Named {
            address: at(address),
            id: FunctionId::new(0x1002, device),
            subsystem: None,
        }
    }

    #[test]
    fn a_function_at_its_own_address_is_meant() {
        let functions = [function("05:00.0"), function("06:00.0")];
        let name = named("06:00.0", 0x1638);
        assert_eq!(owner(&functions, &name, &[name]), at("06:00.0"));
    }

    #[test]
    fn a_function_whose_bus_was_renumbered_is_found_by_ids_that_it_alone_has() {
        let name = named("05:00.0", 0x1638);
        let functions = [function("07:00.0")];
        assert_eq!(owner(&functions, &name, &[name]), at("07:00.0"));
        let two = [function("07:00.0"), function("08:00.0")];
        assert_eq!(owner(&two, &name, &[name]), at("05:00.0"));
    }

    #[test]
    fn a_rom_of_a_card_that_is_gone_is_not_given_to_its_twin() {
        let functions = [function("07:00.0")];
        let all = [named("05:00.0", 0x1638), named("07:00.0", 0x1638)];
        assert_eq!(owner(&functions, &all[0], &all), at("05:00.0"));
        assert_eq!(owner(&functions, &all[1], &all), at("07:00.0"));
    }

    #[test]
    fn other_ids_at_the_same_address_are_another_function() {
        let name = named("07:00.0", 0x1234);
        assert_eq!(owner(&[function("07:00.0")], &name, &[name]), at("07:00.0"));
        assert_eq!(remark(&name, at("07:00.0")), "");
    }
}
