use pci::{ClassCode, DeviceId, FunctionId, VendorId};

use super::attribute::ids;
use crate::names::Lookup;

/// What a function's first line says: `VGA compatible controller [0300]: NVIDIA Corporation GP106 [GeForce
/// GTX 1060 3GB] [10de:1c02] (rev a1) (prog-if 00 [VGA controller])`, with names, numbers or both.
#[derive(Debug, PartialEq)]
pub(super) struct HeaderText {
    pub class: Option<ClassCode>,
    pub id: Option<FunctionId>,
    /// 0 where no revision is printed: lspci leaves out a zero.
    pub revision: u8,
    /// Some listings of groups put the driver behind.
    pub driver: Option<String>,
}

impl HeaderText {
    pub fn of(text: &str, names: Option<&Lookup>) -> Self {
        let (text, driver) = driver_behind(text);
        let (class, device) = split(text);
        let notes = || {
            device
                .match_indices('(')
                .filter_map(|(at, _)| Some((at, device.get(at + 1..)?)))
        };
        let note = |word: &str| {
            let value = notes().find_map(|(_, note)| note.strip_prefix(word))?;
            u8::from_str_radix(value.get(..2)?, 16).ok()
        };
        let interface = note("prog-if ").unwrap_or(0);
        let name_end = notes()
            .find(|(_, note)| note.starts_with("rev ") || note.starts_with("prog-if "))
            .map_or(device.len(), |(at, _)| at);
        let name = device.get(..name_end).unwrap_or_default().trim();
        Self {
            class: class_of(class, names).map(|class| ClassCode(class | u32::from(interface))),
            id: ids(name).or_else(|| by_name(name, names?)),
            revision: note("rev ").unwrap_or(0),
            driver,
        }
    }
}

/// The line without the `Driver: pcieport` that stands last in it.
fn driver_behind(text: &str) -> (&str, Option<String>) {
    let behind = text.trim_end().rsplit_once(' ');
    match behind.and_then(|(text, driver)| Some((text.trim_end().strip_suffix("Driver:")?, driver)))
    {
        Some((text, driver)) => (text, Some(driver.to_owned())),
        None => (text, None),
    }
}

/// Class and device: the first colon with a space behind it stands between them.
fn split(text: &str) -> (&str, &str) {
    let mut colons = text.match_indices(':').map(|(at, _)| at);
    let found =
        colons.find_map(|at| Some((text.get(..at)?, text.get(at + 1..)?.strip_prefix(' ')?)));
    found.unwrap_or((text, ""))
}

/// Base class and subclass, shifted to where they stand in a class code.
fn class_of(text: &str, names: Option<&Lookup>) -> Option<u32> {
    let code = |digits: &str| {
        let well_formed = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        well_formed.then(|| u32::from_str_radix(digits, 16).ok().map(|code| code << 8))?
    };
    let in_brackets = text
        .rsplit_once('[')
        .and_then(|(_, rest)| code(rest.strip_suffix(']')?));
    in_brackets
        .or_else(|| code(text.strip_prefix("Class ").unwrap_or(text)))
        .or_else(|| names?.class(text).map(|class| class.0))
}

/// The ids of a vendor's and a device's name. A device without a name is printed as `Device 1234`.
/// What several devices are called is none of them: the vendor is known, the device `ffff`.
fn by_name(text: &str, names: &Lookup) -> Option<FunctionId> {
    let (vendors, device) = names.vendors(text)?;
    let number = device
        .strip_prefix("Device ")
        .and_then(|id| id.parse::<DeviceId>().ok());
    let devices = |vendor: &VendorId| -> Vec<FunctionId> {
        match number {
            Some(device) => vec![FunctionId {
                vendor: *vendor,
                device,
            }],
            None => names.devices(*vendor, device),
        }
    };
    let found: Vec<FunctionId> = vendors.iter().flat_map(devices).collect();
    match (found.as_slice(), vendors.as_slice()) {
        ([only], _) => Some(*only),
        (_, [vendor]) => Some(FunctionId {
            vendor: *vendor,
            device: DeviceId(u16::MAX),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Names;

    const IDS: &str = "1022  Advanced Micro Devices, Inc. [AMD]\n\t1483  Starship/Matisse GPP Bridge\n\
        \t1484  Twin\n\t1485  Twin\n1af4  Red Hat, Inc.\n\t1041  Virtio 1.0 network device\n\
        1b36  Red Hat, Inc.\n\t000c  QEMU PCIe Root port\n\
        C 06  Bridge\n\t04  PCI bridge\n\t\t00  Normal decode\nC 13  Non-Essential Instrumentation\n";

    fn read(text: &str) -> (Option<String>, Option<String>, u8) {
        let names = Names::from_text(IDS.to_owned());
        let header = HeaderText::of(text, Some(&names.lookup()));
        let class = header.class.map(|class| class.to_string());
        (class, header.id.map(|id| id.to_string()), header.revision)
    }

    #[test]
    fn numbers_are_taken_where_they_are_printed() {
        let expected = (
            Some("060400".to_owned()),
            Some("1022:1483".to_owned()),
            0xf1,
        );
        for text in [
            "PCI bridge [0604]: AMD GPP [x] [1022:1483] (rev f1) (prog-if 00 [Normal decode])",
            "0604: 1022:1483 (rev f1)",
            "Class 0604: Device 1022:1483 (rev f1)",
            "Something new [0604]: Somebody Device [1022:1483] (rev f1)",
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_turned_back_into_numbers_where_only_one_fits() {
        let id = |text: &str| read(&format!("PCI bridge: {text}")).1.unwrap_or_default();
        let amd = "Advanced Micro Devices, Inc. [AMD]";
        assert_eq!(
            id(&format!("{amd} Starship/Matisse GPP Bridge (rev 01)")),
            "1022:1483"
        );
        assert_eq!(id(&format!("{amd} Device 43e9")), "1022:43e9");
        assert_eq!(id(&format!("{amd} Twin")), "1022:ffff");
        assert_eq!(id("Red Hat, Inc. QEMU PCIe Root port"), "1b36:000c");
        assert_eq!(id("Red Hat, Inc. Device 1234"), "");
        assert_eq!(id("Nobody's device"), "");
        assert_eq!(read("PCI bridge: x").0.unwrap(), "060400");
        assert_eq!(
            read("Non-Essential Instrumentation [1300]: x").0.unwrap(),
            "130000"
        );
        assert_eq!(read("Strange thing: x").0, None);
    }

    #[test]
    fn a_driver_behind_the_line_is_read() {
        let text = "PCI bridge [0604]: AMD Device [1022:43ea]   Driver: pcieport";
        let header = HeaderText::of(text, None);
        assert_eq!(header.driver.as_deref(), Some("pcieport"));
        assert_eq!(header.id.unwrap().to_string(), "1022:43ea");
    }
}
