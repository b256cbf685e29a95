use pci::{Address, ClassCode, ConfigSpace, DeviceId, FunctionId, VendorId};

use super::attribute::Attributes;
use crate::source::FUNCTIONS;
use crate::tree::{Tree, why};
use crate::{Function, Reading, kernel_version};

/// Reads one function. Its slot is filled in later, and so are its parent and group where it has no
/// links. A function whose ids can be told neither from its files nor from its configuration space is
/// `ffff:ffff`, like one that does not answer.
pub(super) fn function(sys: &Tree, address: Address) -> Function {
    let path = format!("{FUNCTIONS}/{address}");
    let folder = match sys.folder(&path) {
        Ok(folder) => folder,
        Err(error) => {
            return Function::unknown(address, &format!("{}: {}", sys.name(&path), why(&error)));
        }
    };
    let at = Attributes { folder: &folder };
    let config = at.config();
    let space = config.known();
    let id = |name, offset| {
        let known = at.number::<u16>(name).known().copied();
        known
            .or(space.and_then(|space: &ConfigSpace| space.u16(offset)))
            .unwrap_or(u16::MAX)
    };
    let class = at.number::<u32>("class").known().copied();
    let class_in_config =
        || Some(u32::from_le_bytes(*space?.bytes().get(8..)?.first_chunk()?) >> 8);
    let class = ClassCode(class.or_else(class_in_config).unwrap_or(0x00ff_ffff));
    let (bars, rom_region) = at.regions();
    Function {
        address,
        id: FunctionId {
            vendor: VendorId(id("vendor", 0)),
            device: DeviceId(id("device", 2)),
        },
        subsystem: at.subsystem(),
        class,
        revision: match (at.number("revision"), space.and_then(|space| space.u8(8))) {
            (Reading::Known(revision), _) => Reading::Known(revision),
            (_, Some(revision)) => Reading::Known(revision),
            (unknown, None) => unknown,
        },
        driver: at.driver(),
        numa_node: at.numa_node(),
        link: at.link(space.and_then(ConfigSpace::port_type)),
        reset_methods: at.reset_methods(),
        power_state: at.power_state(),
        d3cold_allowed: at.d3cold_allowed(),
        boot_vga: at.boot_vga(class),
        bars,
        rom_region,
        has_rom_file: folder.has("rom"),
        slot: Reading::Absent,
        group: at.group(),
        parent: at.parent(sys, &path),
        physical_function: at.physical_function(),
        total_virtual_functions: at.total_virtual_functions(),
        enabled_virtual_functions: at.enabled_virtual_functions(),
        mediated_types: at.mediated_types(),
        config,
        listing: Reading::Absent,
    }
}

/// Since 5.15 a kernel shows `reset_method` on exactly the functions that it can reset
/// (`pci_dev_reset_method_attr_is_visible`); before, on none. So when no function has the file, only the
/// kernel's version tells whether there is no way to reset them or no way to know.
pub(super) fn settle_reset_methods(functions: &mut [Function], release: &Reading<String>) {
    let shown = functions
        .iter()
        .any(|function| function.reset_methods.known().is_some());
    let tells = release
        .known()
        .and_then(|release| kernel_version(release))
        .is_some_and(|at| at >= (5, 15));
    if shown || tells {
        return;
    }
    for function in functions {
        if function.reset_methods == Reading::Absent {
            function.reset_methods = Reading::Unknown(
                "no function has the file reset_method, which kernels show from 5.15 on".into(),
            );
        }
    }
}
