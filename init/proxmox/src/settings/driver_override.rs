use pci::Address;
use serde::{Deserialize, Serialize};

use crate::place::{Place, Setting};
use crate::reader::Reader;

/// A driver that a device is to get whatever its ids are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum DriverOverride {
    /// driverctl: a file named after the device, with the driver in it.
    Driverctl {
        /// The device.
        address: Address,
        /// Its driver.
        driver: String,
    },
    /// A udev rule that writes driver_override.
    Udev {
        /// The rule.
        rule: String,
    },
}

const DRIVERCTL: &str = "/etc/driverctl.d";
const UDEV: &str = "/etc/udev/rules.d";

pub(super) fn read(reader: &Reader) -> Vec<Setting<DriverOverride>> {
    let mut overrides = Vec::new();
    for (name, text) in reader.texts(DRIVERCTL, "") {
        // driverctl names a file `pci-0000:01:00.0`, older versions without the bus.
        let address = name.strip_prefix("pci-").unwrap_or(&name).parse();
        if let Ok(address) = address {
            overrides.push(Setting {
                value: DriverOverride::Driverctl {
                    address,
                    driver: text.trim().to_owned(),
                },
                place: Place::new(&format!("{DRIVERCTL}/{name}"), 1),
            });
        }
    }
    for (name, text) in reader.texts(UDEV, ".rules") {
        let rules = text.lines().enumerate();
        let rules = rules.filter(|(_, line)| {
            !line.trim_start().starts_with('#') && line.contains("driver_override")
        });
        overrides.extend(rules.map(|(index, line)| Setting {
            value: DriverOverride::Udev {
                rule: line.trim().to_owned(),
            },
            place: Place::new(&format!("{UDEV}/{name}"), index + 1),
        }));
    }
    overrides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    #[test]
    fn driverctl_and_udev_rules_name_the_device() {
        let files = MemoryFiles::new()
            .file("etc/driverctl.d/pci-0000:01:00.0", "vfio-pci\n")
            .file("etc/driverctl.d/README", "no")
            .file("etc/udev/rules.d/10-vfio.rules", "# driver_override\nACTION==\"add\", KERNEL==\"0000:02:00.0\", ATTR{driver_override}=\"vfio-pci\"\n");
        let found = read(&Reader::new(&files, String::new()));
        let places: Vec<_> = found
            .iter()
            .map(|setting| setting.place.to_string())
            .collect();
        assert_eq!(
            places,
            [
                "/etc/driverctl.d/pci-0000:01:00.0:1",
                "/etc/udev/rules.d/10-vfio.rules:2"
            ]
        );
    }
}
