use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::power_cut::{FailingDisk, Recording};
use crate::served_card::ServedCard;

/// A PCI device and what it needs behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// QEMU's standard VGA, 1234:1111.
    StandardVga,
    /// A graphics card of AMD's, 1002:5159 (Radeon 7000), with this option ROM.
    AtiVga {
        /// The ROM file, used as it is.
        rom: PathBuf,
    },
    /// An Intel 82574L, 8086:10d3, on a network that leads nowhere, with this option ROM.
    E1000e {
        /// The ROM file, used as it is; without one the card has no ROM BAR.
        rom: Option<PathBuf>,
    },
    /// An NVMe controller with one namespace.
    Nvme {
        /// Raw image.
        image: PathBuf,
    },
    /// A virtio disk.
    VirtioBlock {
        /// Raw image.
        image: PathBuf,
    },
    /// A card in software, with all its functions.
    Card(ServedCard),
    /// A virtio disk of a recording; see [`Recording::on`].
    Recorded {
        /// The recording.
        recording: Recording,
        /// Number of the disk in it; the first comes first.
        number: usize,
    },
    /// A SCSI disk with a bad spot, behind an adapter of its own.
    Failing(FailingDisk),
}

/// A port that a card can sit behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// A root port that isolates (has ACS).
    RootPort,
    /// A root port without ACS: what sits behind it shares its group.
    RootPortWithoutAcs,
}

impl Port {
    /// Name of QEMU's device.
    pub(crate) fn driver(self) -> &'static str {
        match self {
            Self::RootPort => "pcie-root-port",
            Self::RootPortWithoutAcs => "ioh3420",
        }
    }
}

/// One `-device`, `-blockdev` or `-netdev`, with its properties. JSON spares the quoting of paths with commas.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Argument {
    option: &'static str,
    value: Value,
}

impl Argument {
    pub(crate) fn device(value: Value) -> Self {
        Self {
            option: "-device",
            value,
        }
    }

    pub(crate) fn block(value: Value) -> Self {
        Self {
            option: "-blockdev",
            value,
        }
    }

    fn network(id: &str) -> Self {
        Self {
            option: "-netdev",
            value: json!({"type": "user", "id": id, "restrict": true}),
        }
    }

    pub(crate) fn words(&self) -> [String; 2] {
        [self.option.to_owned(), self.value.to_string()]
    }
}

/// The raw image at `path` as a block node `id`.
pub(crate) fn block_node(id: &str, path: &Path, read_only: bool) -> Argument {
    Argument::block(json!({
        "driver": "raw", "node-name": id, "read-only": read_only,
        "file": {"driver": "file", "filename": path, "read-only": read_only},
    }))
}

impl Device {
    /// Arguments that put this device, named `id`, at device number `number` of `bus`.
    pub(crate) fn arguments(&self, id: &str, bus: &str, number: u8) -> Vec<Argument> {
        let node = format!("{id}-disk");
        let net = format!("{id}-net");
        let addr = format!("{number:x}.0");
        let (mut before, mut properties) = match self {
            Self::StandardVga => (vec![], json!({"driver": "VGA"})),
            Self::AtiVga { rom } => (
                vec![],
                json!({"driver": "ati-vga", "model": "rv100", "romfile": rom}),
            ),
            // QEMU takes an empty name for no ROM.
            Self::E1000e { rom } => (
                vec![Argument::network(&net)],
                json!({
                    "driver": "e1000e", "netdev": net,
                    "romfile": rom.as_deref().unwrap_or(Path::new("")),
                }),
            ),
            Self::Nvme { image } => (
                vec![block_node(&node, image, false)],
                json!({"driver": "nvme", "serial": id, "drive": node}),
            ),
            Self::VirtioBlock { image } => (
                vec![block_node(&node, image, false)],
                json!({"driver": "virtio-blk-pci", "serial": id, "drive": node}),
            ),
            Self::Card(card) => {
                let functions = card.devices(id, bus, number);
                return functions.into_iter().map(Argument::device).collect();
            }
            Self::Recorded { recording, number } => {
                return recording.arguments(*number, id, bus, &addr);
            }
            Self::Failing(disk) => return disk.arguments(id, bus, &addr),
        };
        properties["id"] = json!(id);
        properties["bus"] = json!(bus);
        properties["addr"] = json!(addr);
        before.push(Argument::device(properties));
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_comma_stays_one_property() {
        let device = Device::AtiVga {
            rom: PathBuf::from("a,b.rom"),
        };
        let arguments = device.arguments("gpu", "port16", 0);
        assert_eq!(arguments.len(), 1);
        let [option, value] = arguments[0].words();
        assert_eq!(option, "-device");
        let value: Value = serde_json::from_str(&value).unwrap();
        assert_eq!(value["romfile"], "a,b.rom");
        assert_eq!(value["addr"], "0.0");
    }

    #[test]
    fn a_disk_names_the_block_node_that_comes_before_it() {
        let device = Device::Nvme {
            image: PathBuf::from("disk.img"),
        };
        let arguments = device.arguments("nvme", "pcie.0", 6);
        assert_eq!(arguments[0].value["node-name"], arguments[1].value["drive"]);
    }
}
