use assess::FunctionSummary;
use pci::ClassCode;

/// Vendors that pci.ids names at length, and how people call them.
const VENDORS: [(&str, &str); 3] = [
    ("Advanced Micro Devices, Inc. [AMD/ATI]", "AMD/ATI"),
    ("Advanced Micro Devices, Inc. [AMD]", "AMD"),
    ("Red Hat, Inc.", "Red Hat"),
];

/// What ends a vendor's name in pci.ids; the device's name stands behind it. Longer ones first.
const VENDOR_ENDS: [&str; 9] = [
    " Semiconductor Co., Ltd. ",
    " Technology Inc. ",
    " Corporation ",
    " Co., Ltd. ",
    " Co Ltd ",
    ", Inc. ",
    " Corp. ",
    " Inc. ",
    " Ltd. ",
];

/// Functions whose entry in pci.ids tells nobody what they are.
const OVERRIDES: [(u16, u16, &str); 1] = [(0x1234, 0x1111, "QEMU standard VGA")];

/// Names of classes, the first match counts; a subclass of 0xFF here stands for all.
const CLASSES: [(u8, u8, &str); 20] = [
    (0x00, 0x01, "display"),
    (0x01, 0x06, "SATA"),
    (0x01, 0x08, "NVMe"),
    (0x01, 0xff, "storage"),
    (0x02, 0x00, "ethernet"),
    (0x02, 0xff, "network"),
    (0x03, 0xff, "display"),
    (0x04, 0xff, "audio"),
    (0x05, 0xff, "memory"),
    (0x06, 0xff, "bridge"),
    (0x07, 0xff, "serial"),
    (0x08, 0xff, "system"),
    (0x09, 0xff, "input"),
    (0x0c, 0x03, "USB"),
    (0x0c, 0x05, "SMBus"),
    (0x0c, 0xff, "bus"),
    (0x0d, 0xff, "wireless"),
    (0x10, 0xff, "crypto"),
    (0x11, 0xff, "signal"),
    (0x12, 0xff, "compute"),
];

/// A word for the class; its digits when there is none.
pub(crate) fn class(class: ClassCode) -> String {
    let word = CLASSES
        .iter()
        .find(|(base, sub, _)| *base == class.base() && (*sub == class.sub() || *sub == 0xff));
    word.map_or_else(|| class.to_string(), |(_, _, word)| (*word).to_owned())
}

/// As short a name as people use: `NVIDIA GeForce GTX 650`.
pub(crate) fn short(function: &FunctionSummary) -> String {
    named(function, |vendor, device| {
        let product = device
            .strip_suffix(']')
            .and_then(|text| text.split_once('['))
            .map(|(_, product)| product.trim())
            .filter(|product| !product.is_empty());
        format!("{vendor} {}", product.unwrap_or(device))
    })
}

/// Chip and product: `NVIDIA GK107 [GeForce GTX 650]`.
pub(crate) fn long(function: &FunctionSummary) -> String {
    named(function, |vendor, device| format!("{vendor} {device}"))
}

/// pci.ids has the vendor's full name and, for graphics, chip and product: `GK107 [GeForce GTX 650]`.
fn named(function: &FunctionSummary, join: fn(&str, &str) -> String) -> String {
    let overridden = OVERRIDES
        .iter()
        .find(|(vendor, device, _)| *vendor == function.vendor.0 && *device == function.device.0);
    if let Some((_, _, name)) = overridden {
        return (*name).to_owned();
    }
    match &function.name {
        Some(name) => split(name).map_or_else(
            || name.clone(),
            |(vendor, device)| join(vendor, device.trim()),
        ),
        None => format!(
            "{} {}:{}",
            class(function.class),
            function.vendor,
            function.device
        ),
    }
}

fn split(name: &str) -> Option<(&str, &str)> {
    for (long, short) in VENDORS {
        if let Some(device) = name.strip_prefix(long) {
            return Some((short, device));
        }
    }
    VENDOR_ENDS.iter().find_map(|end| name.split_once(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assess::{AcsSummary, IsolationSummary, RomSummary};
    use pci::{Address, DeviceId, VendorId};

    fn function(name: Option<&str>) -> FunctionSummary {
        FunctionSummary {
            address: Address {
                domain: 0,
                bus: 1,
                device: 0,
                function: 0,
            },
            vendor: VendorId(0x10de),
            device: DeviceId(0x0fc6),
            class: ClassCode(0x03_00_00),
            name: name.map(str::to_owned),
            driver: None,
            group: None,
            acs: AcsSummary::Unknown,
            isolation: IsolationSummary::default(),
            reset: None,
            link: None,
            boot_vga: false,
            rom: RomSummary::Absent,
        }
    }

    #[test]
    fn names_of_pci_ids_become_those_that_people_use() {
        for (name, expected) in [
            (
                "NVIDIA Corporation GK107 [GeForce GTX 650]",
                "NVIDIA GeForce GTX 650",
            ),
            (
                "Advanced Micro Devices, Inc. [AMD/ATI] Rage 128 PF/PRO AGP 4x TMDS",
                "AMD/ATI Rage 128 PF/PRO AGP 4x TMDS",
            ),
            (
                "Samsung Electronics Co Ltd NVMe SSD 980",
                "Samsung Electronics NVMe SSD 980",
            ),
            (
                "Mellanox Technologies MT27500",
                "Mellanox Technologies MT27500",
            ),
            ("Intel Corporation Something []", "Intel Something []"),
        ] {
            assert_eq!(short(&function(Some(name))), expected);
        }
    }

    #[test]
    fn the_long_name_keeps_the_chip() {
        let function = function(Some("NVIDIA Corporation GK107 [GeForce GTX 650]"));
        assert_eq!(long(&function), "NVIDIA GK107 [GeForce GTX 650]");
    }

    #[test]
    fn a_function_without_a_name_has_its_ids() {
        assert_eq!(short(&function(None)), "display 10de:0fc6");
    }

    #[test]
    fn a_class_without_a_word_keeps_its_digits() {
        assert_eq!(class(ClassCode(0x0c_03_30)), "USB");
        assert_eq!(class(ClassCode(0x03_02_00)), "display");
        assert_eq!(class(ClassCode(0x13_00_00)), "130000");
    }
}
