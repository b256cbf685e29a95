use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::argument::{Argument, block_node, hanging_node};
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
    /// An Intel 82576, 8086:10c9, PCI Express with SR-IOV and function-level reset, without a ROM. Its
    /// functions 0x80 and up become visible when a driver enables them.
    Igb,
    /// An Intel 82540EM, 8086:100e, conventional PCI, without a ROM.
    ConventionalNic,
    /// A virtio network card of the 1.0 specification, 1af4:1041, without a ROM.
    VirtioNic,
    /// A virtio network card that firmware boots from before anything else: iPXE in its ROM is offered this file
    /// by DHCP, and gets it and what lies beside it by TFTP.
    NetworkBoot {
        /// The folder that is served.
        folder: PathBuf,
        /// Name of the file in it.
        file: String,
    },
    /// High-definition audio, 8086:293e, conventional PCI.
    Audio,
    /// A USB 3 controller, 1b36:000d.
    UsbController,
    /// An NVMe controller with one namespace.
    Nvme {
        /// Raw image, or one whose name ends in `.qcow2`.
        image: PathBuf,
    },
    /// An NVMe controller without a namespace. With virtual functions it has SR-IOV; the kernel's
    /// driver can enable them.
    NvmeController {
        /// TotalVFs.
        virtual_functions: u8,
    },
    /// A virtio disk.
    VirtioBlock {
        /// Raw image, or one whose name ends in `.qcow2`.
        image: PathBuf,
    },
    /// A virtio disk that answers its first reads and no more, as a dying one does.
    HangingDisk {
        /// Raw image.
        image: PathBuf,
    },
    /// The same disk at a SCSI controller of its own: such disks are looked for while the next modules are loaded.
    HangingScsiDisk {
        /// Raw image.
        image: PathBuf,
    },
    /// A SCSI or RAID controller with one disk.
    ScsiDisk {
        /// Which controller.
        controller: ScsiController,
        /// Raw image, or one whose name ends in `.qcow2`.
        image: PathBuf,
    },
    /// A SATA controller of its own, 8086:2922, with one disk.
    SataDisk {
        /// Raw image, or one whose name ends in `.qcow2`.
        image: PathBuf,
    },
    /// A SATA controller of its own with a drive that has this CD in it, which firmware starts first.
    SataCd {
        /// ISO 9660 image.
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

/// A controller that disks of [`Device::ScsiDisk`] are at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScsiController {
    /// virtio.
    Virtio,
    /// MegaRAID SAS 1078, 1000:0060.
    MegaRaid,
    /// LSI SAS 1068, 1000:0054.
    LsiSas,
}

impl ScsiController {
    /// Name of QEMU's device.
    fn driver(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-scsi-pci",
            Self::MegaRaid => "megasas",
            Self::LsiSas => "mptsas1068",
        }
    }
}

/// Where a function is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// QEMU's name of the bus.
    pub(crate) bus: String,
    pub(crate) device: u8,
    pub(crate) function: u8,
    /// It has siblings at the same device number.
    pub(crate) multifunction: bool,
}

impl Place {
    /// Function 0 of a device with no other.
    pub(crate) fn alone(bus: &str, device: u8) -> Self {
        Self {
            bus: bus.to_owned(),
            device,
            function: 0,
            multifunction: false,
        }
    }

    /// Device and function, as QEMU writes them.
    pub(crate) fn addr(&self) -> String {
        format!("{:x}.{:x}", self.device, self.function)
    }

    pub(crate) fn write(&self, properties: &mut Value) {
        properties["bus"] = json!(self.bus);
        properties["addr"] = json!(self.addr());
        if self.multifunction {
            properties["multifunction"] = json!(true);
        }
    }
}

/// A port that a card can sit behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

impl Device {
    /// Arguments that put this device, named `id`, at `place`.
    pub(crate) fn arguments(&self, id: &str, place: &Place) -> Vec<Argument> {
        let serial = serial(id);
        let node = format!("{id}-disk");
        let net = format!("{id}-net");
        let disk = |image: &Path| vec![block_node(&node, image, false)];
        let mut after = Vec::new();
        let (mut arguments, mut properties) = match self {
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
            Self::Igb => (
                vec![Argument::network(&net)],
                json!({"driver": "igb", "netdev": net, "romfile": ""}),
            ),
            Self::ConventionalNic => (
                vec![Argument::network(&net)],
                json!({"driver": "e1000", "netdev": net, "romfile": ""}),
            ),
            Self::VirtioNic => (
                vec![Argument::network(&net)],
                json!({
                    "driver": "virtio-net-pci", "netdev": net, "romfile": "",
                    "disable-legacy": "on",
                }),
            ),
            Self::NetworkBoot { folder, file } => (
                vec![Argument::boot_server(&net, folder, file)],
                // The machine's other cards have no ROM; this one keeps the one that QEMU gives it.
                json!({"driver": "virtio-net-pci", "netdev": net, "bootindex": 0}),
            ),
            Self::Audio => (vec![], json!({"driver": "ich9-intel-hda"})),
            Self::UsbController => (vec![], json!({"driver": "qemu-xhci"})),
            Self::Nvme { image } => (
                disk(image),
                json!({"driver": "nvme", "serial": serial, "drive": node}),
            ),
            Self::NvmeController {
                virtual_functions: 0,
            } => (vec![], json!({"driver": "nvme", "serial": serial})),
            Self::NvmeController { virtual_functions } => {
                let subsystem = format!("{id}-subsystem");
                (
                    vec![Argument::device(
                        json!({"driver": "nvme-subsys", "id": subsystem}),
                    )],
                    json!({
                        "driver": "nvme", "serial": serial, "subsys": subsystem,
                        "sriov_max_vfs": virtual_functions,
                        // Two queues and one interrupt vector at least for each of them.
                        "sriov_vq_flexible": u16::from(*virtual_functions) * 2,
                        "sriov_vi_flexible": virtual_functions,
                    }),
                )
            }
            Self::VirtioBlock { image } => (
                disk(image),
                json!({"driver": "virtio-blk-pci", "serial": serial, "drive": node}),
            ),
            Self::HangingDisk { image } => (
                hanging_node(&node, image),
                json!({"driver": "virtio-blk-pci", "serial": serial, "drive": node}),
            ),
            Self::HangingScsiDisk { image } => {
                after.push(Argument::device(json!({
                    "driver": "scsi-hd", "bus": format!("{id}.0"), "drive": node, "serial": serial,
                })));
                let controller = ScsiController::Virtio.driver();
                (hanging_node(&node, image), json!({"driver": controller}))
            }
            Self::ScsiDisk { controller, image } => {
                after.push(Argument::device(json!({
                    "driver": "scsi-hd", "bus": format!("{id}.0"), "drive": node, "serial": serial,
                })));
                (disk(image), json!({"driver": controller.driver()}))
            }
            Self::SataDisk { image } => {
                after.push(Argument::device(json!({
                    "driver": "ide-hd", "bus": format!("{id}.0"), "drive": node, "serial": serial,
                })));
                (disk(image), json!({"driver": "ahci"}))
            }
            Self::SataCd { image } => {
                after.push(Argument::device(json!({
                    "driver": "ide-cd", "bus": format!("{id}.0"), "drive": node, "serial": serial,
                    "bootindex": 0,
                })));
                let medium = block_node(&node, image, true);
                (vec![medium], json!({"driver": "ahci"}))
            }
            Self::Card(card) => {
                let functions = card.devices(id, &place.bus, place.device);
                return functions.into_iter().map(Argument::device).collect();
            }
            Self::Recorded { recording, number } => {
                return recording.arguments(*number, id, &place.bus, &place.addr());
            }
            Self::Failing(disk) => return disk.arguments(id, &place.bus, &place.addr()),
        };
        properties["id"] = json!(id);
        place.write(&mut properties);
        arguments.push(Argument::device(properties));
        arguments.extend(after);
        arguments
    }
}

/// NVMe takes 20 characters (NVM Express Base specification, Identify Controller: SN), and two controllers
/// of one serial number would be two ways to one disk.
fn serial(id: &str) -> String {
    const LONGEST: usize = 20;
    if id.len() <= LONGEST {
        return id.to_owned();
    }
    let mut digest = crate::sha256(id.as_bytes());
    digest.truncate(LONGEST);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_fit_and_differ_however_deep_a_disk_hangs() {
        assert_eq!(serial("disk3"), "disk3");
        let [first, second] =
            ["root40", "root80"].map(|root| serial(&format!("{root}-slot0.1-0-0-0.1")));
        assert_eq!((first.len(), second.len()), (20, 20));
        assert_ne!(first, second);
    }

    #[test]
    fn a_path_with_a_comma_stays_one_property() {
        let device = Device::AtiVga {
            rom: PathBuf::from("a,b.rom"),
        };
        let arguments = device.arguments("gpu", &Place::alone("port16", 0));
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
        let arguments = device.arguments("nvme", &Place::alone("pcie.0", 6));
        assert_eq!(arguments[0].value["node-name"], arguments[1].value["drive"]);
    }
}
