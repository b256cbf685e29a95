use hardware::{Bar, Function, Reading};
use pci::{ClassCode, ConfigSpace, FunctionId};

use super::{GPU_BAR, address, known, tables};

/// A function without a driver, with a ROM region and a reset of its own, below no bridge.
pub(crate) fn function(place: &str, class: u32) -> Function {
    let address = address(place);
    let class = ClassCode(class);
    // The ROMs of tests are for the display's id; of other functions no two are alike.
    let device = if class.is_display() {
        0x5046
    } else {
        u16::from(address.bus) << 8 | u16::from(address.device) << 3 | u16::from(address.function)
    };
    Function {
        address,
        id: FunctionId::new(0x1002, device),
        subsystem: Reading::Absent,
        class,
        revision: Reading::Known(0),
        driver: Reading::Absent,
        numa_node: Reading::Absent,
        link: Reading::Absent,
        reset_methods: Reading::Known(vec!["bus".into()]),
        power_state: known("D0"),
        d3cold_allowed: Reading::Known(true),
        boot_vga: Reading::Known(false),
        bars: Reading::Known(vec![bar(0, GPU_BAR, GPU_BAR + 0x0fff_ffff)]),
        rom_region: Reading::Known(bar(6, 0xf000_0000, 0xf001_ffff)),
        has_rom_file: true,
        config: Reading::Known(ConfigSpace::new(vec![0; 256])),
        slot: Reading::Absent,
        group: Reading::Absent,
        parent: Reading::Absent,
        physical_function: Reading::Absent,
        total_virtual_functions: Reading::Absent,
        enabled_virtual_functions: Reading::Absent,
        mediated_types: Reading::Absent,
        ..Function::unknown(address, "not part of this test")
    }
}

pub(super) fn bar(index: u8, start: u64, end: u64) -> Bar {
    Bar {
        index,
        start,
        end,
        flags: 0x200,
    }
}

/// An ACPI table: a DMAR or IVRS whose one unit takes every function, any other without content.
pub(super) fn table(signature: &str, flags: u8) -> Reading<Vec<u8>> {
    Reading::Known(match signature {
        "DMAR" => tables::dmar(flags, &[tables::unit(1, 0xfed9_0000, &[])]),
        "IVRS" => tables::ivrs(&[tables::amd_unit(0x0002, &[1, 0, 0, 0])]),
        other => tables::table(other, &[0; 8]),
    })
}

/// Configuration space with a PCI Express capability of this device/port type.
pub(super) fn express(kind: u8) -> ConfigSpace {
    let mut bytes = vec![0; 256];
    bytes[0x06] = 0x10;
    bytes[0x34] = 0x40;
    bytes[0x40] = 0x10;
    bytes[0x42] = kind << 4;
    ConfigSpace::new(bytes)
}

/// A root port with the four services of ACS on, which leads to this bus.
pub(super) fn isolating_port(bus: u8) -> ConfigSpace {
    let mut bytes = express(4).bytes().to_vec();
    bytes.resize(4096, 0);
    bytes[0x0e] = 1;
    bytes[0x19..=0x1a].fill(bus);
    bytes[0x100] = 0x0d;
    bytes[0x102] = 1;
    bytes[0x104] = 0x1d;
    bytes[0x106] = 0x1d;
    ConfigSpace::new(bytes)
}
