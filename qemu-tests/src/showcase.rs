use std::io;
use std::path::{Path, PathBuf};

use crate::{Device, Disk, Iommu, Machine, Port, Qemu, Stick};

/// The machine that shows everything: VT-d with interrupt remapping, a boot display on the root bus, and
/// behind a root port each a graphics card with an option ROM, a network card and an NVMe disk; a USB
/// keyboard and the stick.
#[derive(Debug)]
pub struct Showcase {
    /// The machine.
    pub machine: Machine,
    /// Its stick.
    pub stick: Stick,
    /// Its NVMe disk.
    pub disk: Disk,
    /// The ROM of the graphics card: one image, type 0.
    pub card_rom: PathBuf,
    /// The ROM of the network card: two images, type 0 and EFI.
    pub nic_rom: PathBuf,
}

impl Showcase {
    /// Makes it, with its disks in `folder`.
    pub fn new(qemu: &Qemu, folder: &Path) -> io::Result<Self> {
        Self::with_stick(qemu, folder, Stick::new(folder)?)
    }

    /// Makes it with this stick.
    pub fn with_stick(qemu: &Qemu, folder: &Path, stick: Stick) -> io::Result<Self> {
        let card_rom = card_rom(qemu)?;
        let nic_rom = data_file(qemu, "efi-e1000e.rom")?;
        let disk = Disk::blank(folder, "nvme")?;
        let machine = Machine::q35()
            .iommu(Iommu::Intel {
                interrupt_remapping: true,
            })
            .display(Device::StandardVga)
            .card(
                Port::RootPort,
                Device::AtiVga {
                    rom: card_rom.clone(),
                },
            )
            .card(
                Port::RootPort,
                Device::E1000e {
                    rom: Some(nic_rom.clone()),
                },
            )
            .card(
                Port::RootPort,
                Device::Nvme {
                    image: disk.path().to_owned(),
                },
            )
            .stick(&stick);
        Ok(Self {
            machine,
            stick,
            disk,
            card_rom,
            nic_rom,
        })
    }
}

/// The ROM for [`Device::AtiVga`] that comes with QEMU's firmware packages.
pub fn card_rom(qemu: &Qemu) -> io::Result<PathBuf> {
    data_file(qemu, "vgabios-ati.bin")
}

fn data_file(qemu: &Qemu, name: &str) -> io::Result<PathBuf> {
    qemu.data_file(name).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "{} comes without {name}; install seabios and ipxe-qemu",
                qemu.place()
            ),
        )
    })
}
