use pci::Address;

use super::address;
use crate::tree::{Kind, Tree};
use crate::{HostDevice, HostRole, Reading, Source};

/// Disks, network interfaces and keyboards, each with the function it hangs on.
///
/// A device's place is the text of its link in the class folder: the nearest element of that path which
/// is a PCI address. Devices that hang on none (i8042 keyboards, virtual ones) are left out.
pub(super) fn host_devices(source: &Source, sys: &Tree) -> Reading<Vec<HostDevice>> {
    let mut found = Vec::new();
    for class in CLASSES {
        let names = match source.reading(sys, class.folder, sys.list(class.folder)) {
            Reading::Known(names) => names,
            Reading::Absent => continue,
            Reading::Unknown(why) => return Reading::Unknown(why),
        };
        for name in names.iter().filter(|name| (class.counts)(sys, name)) {
            let path = format!("{}/{name}", class.folder);
            let functions = match sys.link(&path) {
                Ok(link) => functions(sys, &path, &link),
                Err(_) if sys.kind(&path).ok() == Some(Kind::Folder) => {
                    return super::no_link(&sys.name(&path), "the function that it hangs on");
                }
                Err(_) => continue,
            };
            found.extend(functions.into_iter().map(|function| HostDevice {
                role: class.role,
                name: name.clone(),
                function,
                detail: (class.detail)(sys, &path),
            }));
        }
    }
    Reading::Known(found)
}

/// One kind of host device: where it is listed, which entries count, what to say of them.
struct Class {
    role: HostRole,
    folder: &'static str,
    counts: fn(&Tree, &str) -> bool,
    detail: fn(&Tree, &str) -> String,
}

const CLASSES: &[Class] = &[
    Class {
        role: HostRole::Disk,
        folder: "block",
        counts: is_disk,
        detail: disk_detail,
    },
    Class {
        role: HostRole::Network,
        folder: "class/net",
        counts: is_physical_interface,
        detail: interface_state,
    },
    Class {
        role: HostRole::Keyboard,
        folder: "class/input",
        counts: is_keyboard,
        detail: input_name,
    },
];

/// Block devices that are no disks, by the names that their drivers give them.
const NO_DISKS: &[&str] = &["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "zd"];

/// A disk with something in it: a card reader's empty slot has size 0. `nvme0c0n1` is one path to
/// `nvme0n1`, not a disk of its own.
fn is_disk(sys: &Tree, name: &str) -> bool {
    let is_path = name
        .strip_prefix("nvme")
        .is_some_and(|rest| rest.contains('c'));
    let is_virtual = NO_DISKS.iter().any(|prefix| name.starts_with(prefix));
    let is_empty = sys
        .text(&format!("block/{name}/size"))
        .is_ok_and(|size| size.trim() == "0");
    !is_path && !is_virtual && !is_empty
}

/// Where there is a link, its path tells; a copy without links has `device` in what is no virtual one.
fn is_physical_interface(sys: &Tree, name: &str) -> bool {
    let path = format!("class/net/{name}");
    sys.kind(&path).ok() == Some(Kind::Link) || sys.has(&format!("{path}/device"))
}

/// Every letter key. A power button, a remote control or a graphics card's hot keys have a few keys each.
fn is_keyboard(sys: &Tree, name: &str) -> bool {
    /// `KEY_Q` to `KEY_P`, `KEY_A` to `KEY_L`, `KEY_Z` to `KEY_M` (linux/input-event-codes.h).
    const LETTERS: u64 = (0x3ff << 16) | (0x1ff << 30) | (0x7f << 44);
    let keys = sys
        .text(&format!("class/input/{name}/capabilities/key"))
        .unwrap_or_default();
    let lowest = keys.split_whitespace().last().unwrap_or_default();
    name.starts_with("input")
        && u64::from_str_radix(lowest, 16).is_ok_and(|keys| keys & LETTERS == LETTERS)
}

/// Model and size: `Samsung SSD 980 PRO 1TB, 1000 GB`.
fn disk_detail(sys: &Tree, path: &str) -> String {
    let text = |name: &str| sys.text(&format!("{path}/{name}")).ok();
    let model = text("device/model")
        .map(|model| words(&model))
        .filter(|model| !model.is_empty());
    let sectors: Option<u64> = text("size").and_then(|size| size.trim().parse().ok());
    // The kernel counts in units of 512 bytes whatever the disk's own sectors are.
    let bytes = sectors.map(|sectors| sectors.saturating_mul(512));
    let size = bytes.map(|bytes| match bytes {
        0..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    });
    [model, size]
        .into_iter()
        .flatten()
        .collect::<Vec<String>>()
        .join(", ")
}

fn interface_state(sys: &Tree, path: &str) -> String {
    sys.text(&format!("{path}/operstate")).unwrap_or_default()
}

fn input_name(sys: &Tree, path: &str) -> String {
    words(&sys.text(&format!("{path}/name")).unwrap_or_default())
}

/// Single spaces between words, none at the ends.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// The functions that a class link's device hangs on: one, none, or as many as a multipath NVMe
/// namespace has controllers.
fn functions(sys: &Tree, path: &str, link: &str) -> Vec<Address> {
    if link.contains("/virtual/nvme-subsystem/") {
        nvme_controllers(sys, path, link)
    } else {
        nearest_function(link).into_iter().collect()
    }
}

fn nearest_function(path: &str) -> Option<Address> {
    path.rsplit('/').find_map(address)
}

/// A namespace of a multipath NVMe subsystem is a virtual device. Its subsystem's folder has a link to
/// each controller; a copy without them still has the controller of the namespace's number.
fn nvme_controllers(sys: &Tree, path: &str, link: &str) -> Vec<Address> {
    let subsystem = link.rsplit('/').nth(1).unwrap_or_default();
    let folder = format!("class/nvme-subsystem/{subsystem}");
    let mut found: Vec<Address> = sys
        .list(&folder)
        .unwrap_or_default()
        .iter()
        .filter_map(|name| nearest_function(&sys.link(&format!("{folder}/{name}")).ok()?))
        .collect();
    if found.is_empty() {
        let namespace = path.rsplit('/').next().unwrap_or_default();
        let controller = namespace
            .rsplit_once('n')
            .map_or(namespace, |(controller, _)| controller);
        let link = sys
            .link(&format!("class/nvme/{controller}"))
            .unwrap_or_default();
        found.extend(nearest_function(&link));
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_hangs_on_the_nearest_function_of_its_path() {
        let on = |path: &str| nearest_function(path).map(|function| function.to_string());
        assert_eq!(
            on(
                "../../devices/pci0000:00/0000:00:01.1/0000:01:00.0/usb1/1-2/1-2:1.0/0003:046D:C31C.0001/input/input4"
            ),
            Some("0000:01:00.0".to_owned())
        );
        assert_eq!(
            on("../devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:01.0/nvme/nvme0/nvme0n1"),
            Some("10000:e0:01.0".to_owned())
        );
        assert_eq!(on("../../devices/platform/i8042/serio0/input/input3"), None);
    }
}
