use std::path::PathBuf;

use crate::Device;

/// An installed system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Golden {
    /// Proxmox layout: LVM, ext4, GRUB, BIOS.
    LvmExt4Bios,
    /// Proxmox layout: LVM, ext4, GRUB, UEFI; its config.db has a change in the WAL alone.
    LvmExt4Uefi,
    /// Proxmox layout: LVM, xfs, GRUB, UEFI.
    LvmXfsUefi,
    /// Proxmox layout: ZFS mirror, systemd-boot on two ESPs, UEFI.
    ZfsSystemdBoot,
    /// Proxmox layout: ZFS mirror, GRUB on two ESPs beside stale entries of systemd-boot, UEFI or BIOS.
    ZfsGrub,
    /// Proxmox layout: btrfs RAID1 of two disks, GRUB, BIOS.
    BtrfsMirror,
    /// Debian 13 with dracut and libvirt's files: ext4, GRUB, UEFI.
    DebianDracut,
}

/// A release of Debian that is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debian {
    /// 12
    Bookworm,
    /// 13
    Trixie,
}

/// What starts the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF without Secure Boot.
    Uefi,
}

/// What the disks hang on: an initrd has the drivers of that alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// AHCI, a controller for each disk.
    Sata,
    /// NVMe.
    Nvme,
}

impl Bus {
    /// A disk on it.
    pub(super) fn device(self, image: PathBuf) -> Device {
        match self {
            Self::Sata => Device::SataDisk { image },
            Self::Nvme => Device::Nvme { image },
        }
    }
}

/// Everything that makes one of them another than the others, beside its script.
#[derive(Debug)]
pub(super) struct Description {
    golden: Golden,
    name: &'static str,
    words: &'static str,
    debian: Debian,
    firmware: Firmware,
    bus: Bus,
    disks: usize,
}

#[rustfmt::skip]
const ALL: [Description; 7] = {
    use Bus::{Nvme, Sata};
    use Debian::{Bookworm, Trixie};
    use Firmware::{Bios, Uefi};
    const fn row(
        golden: Golden, name: &'static str, words: &'static str,
        debian: Debian, firmware: Firmware, bus: Bus, disks: usize,
    ) -> Description {
        Description { golden, name, words, debian, firmware, bus, disks }
    }
    [
        row(Golden::LvmExt4Bios, "lvm-ext4-bios", "Proxmox on LVM and ext4, GRUB, BIOS", Bookworm, Bios, Sata, 1),
        // Second, so that its root is made beside the other.
        row(Golden::DebianDracut, "debian-dracut", "Debian 13 with dracut and libvirt, GRUB, UEFI", Trixie, Uefi, Nvme, 1),
        row(Golden::LvmExt4Uefi, "lvm-ext4-uefi", "Proxmox on LVM and ext4, GRUB, UEFI", Bookworm, Uefi, Nvme, 1),
        row(Golden::LvmXfsUefi, "lvm-xfs-uefi", "Proxmox on LVM and xfs, GRUB, UEFI", Bookworm, Uefi, Sata, 1),
        row(Golden::ZfsSystemdBoot, "zfs-systemd-boot", "Proxmox on a ZFS mirror, systemd-boot, UEFI", Bookworm, Uefi, Nvme, 2),
        row(Golden::ZfsGrub, "zfs-grub", "Proxmox on a ZFS mirror, GRUB on the ESPs, UEFI", Bookworm, Uefi, Sata, 2),
        row(Golden::BtrfsMirror, "btrfs-mirror", "Proxmox on btrfs RAID1, GRUB, BIOS", Bookworm, Bios, Sata, 2),
    ]
};

impl Golden {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().map(|row| row.golden)
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        let row = ALL.iter().find(|row| row.name == name)?;
        Some(row.golden)
    }

    /// Its name, which is also its host name.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    /// What it is, in a line.
    pub fn words(self) -> &'static str {
        self.description().words
    }

    /// What starts it.
    pub fn firmware(self) -> Firmware {
        self.description().firmware
    }

    /// What its disks hang on.
    pub fn bus(self) -> Bus {
        self.description().bus
    }

    /// Whether it has the files of Proxmox VE.
    pub fn is_proxmox(self) -> bool {
        self.debian() == Debian::Bookworm
    }

    pub(super) fn debian(self) -> Debian {
        self.description().debian
    }

    pub(super) fn disk_count(self) -> usize {
        self.description().disks
    }

    pub(super) fn description(self) -> &'static Description {
        let index = ALL.iter().position(|row| row.golden == self);
        index.and_then(|index| ALL.get(index)).unwrap_or(&ALL[0])
    }
}

impl Debian {
    /// Its code name.
    pub(super) fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_found_by_its_name() {
        for golden in Golden::all() {
            assert_eq!(Golden::named(golden.name()), Some(golden));
            assert_eq!(golden.description().golden, golden);
        }
        assert_eq!(Golden::named("windows"), None);
    }
}
