mod attribute;
mod board;
mod board_slot;
mod capability;
mod firmware_memory;
mod framebuffer;
mod function;
mod group;
mod host;
mod iommu_unit;
mod kernel;
mod mount;
mod numa;
pub(crate) mod parent;
mod route;
mod slot;
mod table;

pub(crate) use self::board::is_filler;

use std::io::ErrorKind;

use pci::Address;

use crate::source::FUNCTIONS;
use crate::{Error, Machine, Reading, Source, kernel_log};

/// Reads everything of a machine but its ROMs. Writes nothing.
///
/// # Errors
/// Only when there are no PCI functions to read; whatever else cannot be read is
/// [`Reading::Unknown`] in its place.
pub fn read(source: &Source) -> Result<Machine, Error> {
    let sys = source.sys()?;
    let names = sys.list(FUNCTIONS).map_err(|cause| Error::NoFunctions {
        path: sys.path().join(FUNCTIONS),
        cause,
    })?;
    let mut addresses: Vec<Address> = names.iter().filter_map(|name| address(name)).collect();
    addresses.sort_unstable();
    let is_missing = |address: &Address| {
        let folder = sys.folder(&format!("{FUNCTIONS}/{address}"));
        folder.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    if !addresses.is_empty() && addresses.iter().all(is_missing) {
        return Err(Error::NotCopied {
            path: sys.path().join(FUNCTIONS),
        });
    }

    let log = kernel_log(source);
    let kernel = kernel::kernel(source, &log);
    let mut functions: Vec<_> = addresses
        .iter()
        .map(|address| function::function(sys, *address))
        .collect();
    function::settle_reset_methods(&mut functions, &kernel.release);
    parent::fill_from_buses(&mut functions);
    let groups = group::groups(source, sys, &mut functions);
    slot::fill(source, sys, &mut functions);
    let iommu_units = group::units(source, sys);
    let board_slots = board_slot::slots(source, sys);
    board_slot::name_functions(&mut functions, &board_slots);

    Ok(Machine {
        cpu: kernel::cpu(source),
        board: board::board(source, sys),
        firmware: board::firmware(source, sys, &log),
        tables: table::tables(sys),
        iommu_unit_registers: iommu_unit::registers(sys, &iommu_units),
        iommu_units,
        firmware_memory: firmware_memory::firmware_memory(source, sys),
        groups,
        framebuffers: framebuffer::framebuffers(source),
        host_devices: host::host_devices(source, sys),
        installed_uses: Reading::Absent,
        mounts: mount::mounts(source, sys),
        default_routes: route::default_routes(source, sys),
        numa_nodes: numa::nodes(source, sys),
        board_slots,
        kernel,
        functions,
    })
}

/// A PCI address written in full, as the kernel names a function. (Short forms are for people; names
/// like `1:2.3` in a device path mean something else.)
fn address(name: &str) -> Option<Address> {
    name.parse()
        .ok()
        .filter(|address: &Address| address.to_string() == name)
}

/// A number as sysfs writes it: decimal, or hex with 0x.
fn number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("'{text}' is not a number"))
}

/// A number that fits a smaller type.
fn small<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    T::try_from(number(text)?).map_err(|_| format!("{} is too large", text.trim()))
}

/// The last element of a link's text.
pub(crate) fn last(link: &str) -> &str {
    link.rsplit('/').next().unwrap_or(link)
}

/// Why something that has a link in /sys cannot be told in a folder that has none.
fn no_link<T>(place: &str, what: &str) -> Reading<T> {
    Reading::unknown(format!(
        "{place} is no link in this copy, so {what} cannot be told from it"
    ))
}
