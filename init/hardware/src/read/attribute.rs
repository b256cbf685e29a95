use std::io::ErrorKind;

use pci::{Address, ClassCode, ConfigSpace, DeviceId, FunctionId, PortType, VendorId};

use super::{address, last, no_link, small};
use crate::tree::Tree;
use crate::{Bar, Link, LinkRate, Reading};

const CONFIG_LIMIT: usize = 4096;
/// Line of `resource` with the expansion ROM (`PCI_ROM_RESOURCE`); what follows are bridge windows and
/// the BARs of virtual functions.
const ROM_LINE: u8 = 6;

/// The files in one function's folder (drivers/pci/pci-sysfs.c).
pub(super) struct Attributes<'a> {
    /// The function's folder.
    pub folder: &'a Tree,
}

impl Attributes<'_> {
    /// A file that every function has.
    fn text(&self, name: &str) -> Reading<String> {
        self.folder.expected(name, self.folder.text(name))
    }

    /// A number in a file that every function has.
    pub fn number<T: TryFrom<u64>>(&self, name: &str) -> Reading<T> {
        self.text(name).and_then(|text| small(&text))
    }

    pub fn config(&self) -> Reading<ConfigSpace> {
        let bytes = self.folder.bytes("config", CONFIG_LIMIT);
        self.folder.expected("config", bytes).map(ConfigSpace::new)
    }

    /// Both zero where a bridge has no subsystem capability.
    pub fn subsystem(&self) -> Reading<FunctionId> {
        match (
            self.number("subsystem_vendor"),
            self.number("subsystem_device"),
        ) {
            (Reading::Known(0), Reading::Known(0)) => Reading::Absent,
            (Reading::Known(vendor), Reading::Known(device)) => Reading::Known(FunctionId {
                vendor: VendorId(vendor),
                device: DeviceId(device),
            }),
            (Reading::Known(_), device) => device.map(|_| FunctionId::new(0, 0)),
            (vendor, _) => vendor.map(|_| FunctionId::new(0, 0)),
        }
    }

    /// The name is the link's last element. In a copy without links `uevent` may have it.
    pub fn driver(&self) -> Reading<String> {
        if let Ok(link) = self.folder.link("driver") {
            return Reading::Known(last(&link).to_owned());
        }
        if let Some(driver) = uevent(self.folder, "uevent", "DRIVER") {
            return Reading::Known(driver);
        }
        match self.folder.kind("driver") {
            Ok(_) => no_link(&self.folder.name("driver"), "the driver's name"),
            Err(error) => self.folder.reading("driver", Err(error)),
        }
    }

    pub fn numa_node(&self) -> Reading<u16> {
        match self.folder.read_text("numa_node") {
            Reading::Known(text) if text.trim() == "-1" => Reading::Absent,
            other => other.and_then(|text| small(&text)),
        }
    }

    /// Speed and width are shown for every PCI Express function, also for one inside the root complex,
    /// which has no link: its four values say nothing.
    pub fn link(&self, port: Option<PortType>) -> Reading<Link> {
        if matches!(
            port,
            Some(PortType::RootComplexEndpoint | PortType::EventCollector)
        ) {
            return Reading::Absent;
        }
        let rate = |kind: &str| {
            let speed = self.link_value(&format!("{kind}_link_speed"))?;
            let width = self.link_value(&format!("{kind}_link_width"))?;
            let speed = speed
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            Ok(LinkRate {
                speed: speed
                    .filter(|speed| (0.0..=1024.0).contains(speed))
                    .unwrap_or(0.0),
                // 255 is the kernel's PCIE_LNK_WIDTH_UNKNOWN.
                width: width
                    .trim()
                    .parse()
                    .ok()
                    .filter(|width| *width != u8::MAX)
                    .unwrap_or(0),
            })
        };
        match (rate("current"), rate("max")) {
            (Ok(current), Ok(max)) if [current, max].iter().all(LinkRate::is_unknown) => {
                Reading::Absent
            }
            (Ok(current), Ok(max)) => Reading::Known(Link { current, max }),
            (Err(Reading::Absent), _) | (_, Err(Reading::Absent)) if port.is_some() => {
                Reading::unknown(format!(
                    "{} is not there",
                    self.folder.name("current_link_speed")
                ))
            }
            (Err(other), _) | (_, Err(other)) => other.and_then(|()| Err(String::new())),
        }
    }

    /// A link file; one that is there and cannot be read is empty, as the kernel answers `EINVAL` where
    /// the function has no such register.
    fn link_value(&self, name: &str) -> Result<String, Reading<()>> {
        match self.folder.text(name) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(String::new()),
            Err(error) => Err(self.folder.reading(name, Err(error))),
        }
    }

    pub fn reset_methods(&self) -> Reading<Vec<String>> {
        match self.folder.read_text("reset_method") {
            Reading::Known(text) if text.trim().is_empty() => Reading::Absent,
            other => other.map(|text| text.split_whitespace().map(str::to_owned).collect()),
        }
    }

    pub fn power_state(&self) -> Reading<String> {
        self.text("power_state")
    }

    /// The kernel makes the file for VGA-compatible functions alone.
    pub fn boot_vga(&self, class: ClassCode) -> Reading<bool> {
        match self.folder.read_text("boot_vga") {
            Reading::Absent if class.is_vga() => self.number("boot_vga").map(|_: u8| false),
            other => other.and_then(|text| Ok(small::<u8>(&text)? != 0)),
        }
    }

    /// BARs and ROM region.
    pub fn regions(&self) -> (Reading<Vec<Bar>>, Reading<Bar>) {
        let regions = self.text("resource").and_then(|text| {
            let lines = text.lines().zip(0..=ROM_LINE);
            lines
                .map(|(line, index)| region(line, index))
                .collect::<Result<Vec<Bar>, String>>()
        });
        let used = |bar: &Bar| bar.flags != 0 || bar.start != 0 || bar.end != 0;
        let rom = match &regions {
            Reading::Known(regions) => regions
                .iter()
                .find(|bar| bar.index == ROM_LINE && used(bar))
                .map_or(Reading::Absent, |bar| Reading::Known(*bar)),
            other => other.as_ref().and_then(|_| Err(String::new())),
        };
        let is_bar = |bar: &Bar| bar.index < ROM_LINE && used(bar);
        (
            regions.map(|regions| regions.into_iter().filter(is_bar).collect()),
            rom,
        )
    }

    /// Number of the IOMMU group, from the link. Absent here may only mean that the copy has none;
    /// the list of groups decides then.
    pub fn group(&self) -> Reading<u32> {
        match self.folder.link("iommu_group") {
            Ok(link) => {
                let id = last(&link);
                id.parse().map_or_else(
                    |_| Reading::unknown(format!("'{id}' is not the number of a group")),
                    Reading::Known,
                )
            }
            Err(_) => match self.folder.kind("iommu_group") {
                Ok(_) => no_link(&self.folder.name("iommu_group"), "the group's number"),
                Err(error) => self.folder.reading("iommu_group", Err(error)),
            },
        }
    }

    /// The bridge above, from the path that the function's link has: its folder lies in the bridge's.
    /// Unknown in a copy without links, for the bridges' bus numbers to decide.
    pub fn parent(&self, sys: &Tree, path: &str) -> Reading<Address> {
        let Ok(link) = sys.link(path) else {
            return no_link(&sys.name(path), "the bridge above");
        };
        let above = link.rsplit('/').nth(1).unwrap_or_default();
        match address(above) {
            Some(bridge) => Reading::Known(bridge),
            None if above.starts_with("pci") => Reading::Absent,
            None => Reading::unknown(format!("{} leads to '{link}'", sys.name(path))),
        }
    }

    pub fn physical_function(&self) -> Reading<Address> {
        if let Ok(link) = self.folder.link("physfn") {
            let name = last(&link);
            return address(name).map_or_else(
                || Reading::unknown(format!("'{name}' is not a PCI address")),
                Reading::Known,
            );
        }
        if let Some(address) =
            uevent(self.folder, "physfn/uevent", "PCI_SLOT_NAME").and_then(|name| address(&name))
        {
            return Reading::Known(address);
        }
        match self.folder.kind("physfn") {
            Ok(_) => no_link(&self.folder.name("physfn"), "the physical function"),
            Err(error) => self.folder.reading("physfn", Err(error)),
        }
    }

    pub fn total_virtual_functions(&self) -> Reading<u16> {
        self.folder
            .read_text("sriov_totalvfs")
            .and_then(|text| small(&text))
    }
}

/// The value of a key in a `uevent` file, which has a name for much that is otherwise a link.
fn uevent(folder: &Tree, path: &str, key: &str) -> Option<String> {
    let text = folder.text(path).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.find_map(|(name, value)| (name == key).then(|| value.to_owned()))
}

/// One line of `resource`: start, end and flags.
fn region(line: &str, index: u8) -> Result<Bar, String> {
    let mut numbers = line.split_whitespace().map(small::<u64>);
    let mut next = || {
        numbers
            .next()
            .unwrap_or_else(|| Err(format!("'{line}' is not a region")))
    };
    Ok(Bar {
        index,
        start: next()?,
        end: next()?,
        flags: next()?,
    })
}
