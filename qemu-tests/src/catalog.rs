//! Machines and cards by name: what a person tries things on.

use std::io;
use std::path::Path;

use cards::{CardError, CardProfile, profiles};
use pci::FunctionId;

use crate::chipset::Iommu;
use crate::device::{Device, Port, ScsiController};
use crate::disk::Disk;
use crate::machine::Machine;
use crate::ovmf::{Ovmf, OvmfError};
use crate::served_card::ServedCard;
use crate::topology::{Bridge, Function, Slot};

/// Something with a name that a person can ask for.
#[derive(Clone, Copy, Debug)]
pub struct Named<T> {
    /// Its name.
    pub name: &'static str,
    /// What it is, on one line.
    pub about: &'static str,
    /// How it is made.
    pub make: T,
}

/// Why a machine of the catalogue could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Its disk could not be written.
    #[error("the machine's disks: {0}")]
    Disk(#[from] io::Error),
    /// Its firmware.
    #[error(transparent)]
    Firmware(#[from] OvmfError),
    /// Its card.
    #[error(transparent)]
    Card(#[from] CardError),
}

/// Makes a machine with this card, and its files in this folder.
pub type MakeMachine = fn(Device, &Path) -> Result<Machine, CatalogError>;

/// Makes a card.
pub type MakeCard = fn() -> CardProfile;

const REMAPPING: Iommu = Iommu::Intel {
    interrupt_remapping: true,
};

fn with_vt_d() -> Machine {
    Machine::q35().iommu(REMAPPING).display(Device::StandardVga)
}

fn nic() -> Device {
    Device::E1000e { rom: None }
}

fn behind_port(below: Function) -> Slot {
    Slot::function(Function::Port(Port::RootPort, Some(Slot::function(below))))
}

/// The machines. The card is behind the first root port where nothing else is said.
pub const MACHINES: &[Named<MakeMachine>] = &[
    Named {
        name: "q35",
        about: "VT-d with interrupt remapping, a boot display, the card behind a root port with ACS",
        make: |card, _| Ok(with_vt_d().card(Port::RootPort, card)),
    },
    Named {
        name: "amd-vi",
        about: "the same with AMD-Vi",
        make: |card, _| {
            let iommu = Iommu::Amd {
                interrupt_remapping: true,
                x2apic: true,
            };
            Ok(with_vt_d().iommu(iommu).card(Port::RootPort, card))
        },
    },
    Named {
        name: "no-iommu",
        about: "no IOMMU",
        make: |card, _| Ok(with_vt_d().iommu(Iommu::None).card(Port::RootPort, card)),
    },
    Named {
        name: "no-remapping",
        about: "VT-d without interrupt remapping",
        make: |card, _| {
            let iommu = Iommu::Intel {
                interrupt_remapping: false,
            };
            Ok(with_vt_d().iommu(iommu).card(Port::RootPort, card))
        },
    },
    Named {
        name: "only-display",
        about: "the card is the only one that can be the boot display",
        make: |card, _| Ok(Machine::q35().iommu(REMAPPING).card(Port::RootPort, card)),
    },
    Named {
        name: "uefi",
        about: "UEFI (OVMF) in place of SeaBIOS",
        make: |card, folder| {
            Ok(with_vt_d()
                .firmware(Ovmf::obtain(folder)?)
                .card(Port::RootPort, card))
        },
    },
    Named {
        name: "secure-boot",
        about: "UEFI that enforces Secure Boot with Microsoft's keys",
        make: |card, folder| {
            Ok(with_vt_d()
                .firmware(Ovmf::with_secure_boot(folder)?)
                .card(Port::RootPort, card))
        },
    },
    Named {
        name: "no-acs",
        about: "a root port without ACS: port and card in one group",
        make: |card, _| Ok(with_vt_d().card(Port::RootPortWithoutAcs, card)),
    },
    Named {
        name: "shared",
        about: "two root ports without ACS on one device: card and network card in one group",
        make: |card, _| {
            let port =
                |device| Function::Port(Port::RootPortWithoutAcs, Some(Slot::device(device)));
            Ok(with_vt_d().slot(Slot(vec![port(card), port(nic())])))
        },
    },
    Named {
        name: "switch",
        about: "card and network card behind a switch without ACS",
        make: |card, _| {
            let ports = vec![Some(Slot::device(card)), Some(Slot::device(nic()))];
            Ok(with_vt_d().slot(behind_port(Function::Switch(ports))))
        },
    },
    Named {
        name: "bridge",
        about: "the card, and beside it a bridge to conventional PCI with sound and network on it",
        make: |card, _| {
            let on_bus = vec![
                Slot::device(Device::Audio),
                Slot::device(Device::ConventionalNic),
            ];
            Ok(with_vt_d()
                .card(Port::RootPort, card)
                .slot(behind_port(Function::Bridge(Bridge::FromExpress, on_bus))))
        },
    },
    Named {
        name: "two-roots",
        about: "the card on a second root bus",
        make: |card, _| Ok(with_vt_d().root_bus(vec![Slot::port(Port::RootPort, card)])),
    },
    Named {
        name: "sr-iov",
        about: "an NVMe controller and a network card with SR-IOV beside the card",
        make: |card, _| {
            let controller = Device::NvmeController {
                virtual_functions: 4,
            };
            Ok(with_vt_d()
                .card(Port::RootPort, card)
                .card(Port::RootPort, controller)
                .card(Port::RootPort, Device::Igb))
        },
    },
    Named {
        name: "disks",
        about: "NVMe, SATA, virtio, SCSI and RAID disks beside the card",
        make: |card, folder| {
            let image = |name| Ok::<_, io::Error>(Disk::blank(folder, name)?.path().to_owned());
            let scsi = |controller, name| {
                Ok::<_, io::Error>(Device::ScsiDisk {
                    controller,
                    image: image(name)?,
                })
            };
            Ok(with_vt_d()
                .card(Port::RootPort, card)
                .card(
                    Port::RootPort,
                    Device::Nvme {
                        image: image("nvme")?,
                    },
                )
                .integrated(Device::VirtioBlock {
                    image: image("virtio")?,
                })
                .integrated(scsi(ScsiController::Virtio, "virtio-scsi")?)
                .integrated(scsi(ScsiController::MegaRaid, "megaraid")?)
                .integrated(scsi(ScsiController::LsiSas, "sas")?)
                .sata(&Disk::blank(folder, "sata")?))
        },
    },
    Named {
        name: "i440fx",
        about: "conventional PCI without ports and IOMMU, the card on the root bus",
        make: |card, _| {
            Ok(Machine::i440fx()
                .display(Device::StandardVga)
                .integrated(card))
        },
    },
];

/// The cards.
pub const CARDS: &[Named<MakeCard>] = &[
    Named {
        name: "nvidia-gtx650",
        about: "10de:0fc6 and its sound 10de:0e1b: no function-level reset, ROM of NVIDIA's layout",
        make: profiles::nvidia_gtx650,
    },
    Named {
        name: "amd-rx480",
        about: "1002:67df and its sound, 1002:aaf0: ACS between them, resizable BAR",
        make: profiles::amd_rx480,
    },
    Named {
        name: "intel-hd630",
        about: "8086:5912, the display in a processor: no ROM, no OpRegion",
        make: profiles::intel_hd630,
    },
    Named {
        name: "generic",
        about: "1af4:10f0, a network card with function-level reset and MSI-X, no ROM",
        make: || profiles::generic(FunctionId::new(0x1af4, 0x10f0)),
    },
];

/// The machine of this name with the card of this name.
pub fn machine(
    machine: &Named<MakeMachine>,
    card: &Named<MakeCard>,
    folder: &Path,
) -> Result<Machine, CatalogError> {
    let card = ServedCard::start(&(card.make)())?;
    (machine.make)(Device::Card(card), folder)
}

/// The one of this name, or the only one whose name begins so; an error names those that there are.
pub fn named<'a, T>(list: &'a [Named<T>], name: &str) -> Result<&'a Named<T>, String> {
    let begins = || list.iter().filter(|thing| thing.name.starts_with(name));
    let exact = list.iter().find(|thing| thing.name == name);
    let only = begins().next().filter(|_| begins().count() == 1);
    exact.or(only).ok_or_else(|| {
        let names: Vec<_> = list.iter().map(|thing| thing.name).collect();
        format!("'{name}' is not one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_name_will_do_where_no_other_begins_so() {
        let name = |text| named(MACHINES, text).map(|machine| machine.name);
        assert_eq!(name("q35"), Ok("q35"));
        assert_eq!(name("amd"), Ok("amd-vi"));
        let error = name("no-").unwrap_err();
        assert!(
            error.starts_with("'no-' is not one of q35, amd-vi, "),
            "{error}"
        );
        assert!(name("").is_err());
        assert_eq!(named(CARDS, "nvidia").unwrap().name, "nvidia-gtx650");
    }
}
