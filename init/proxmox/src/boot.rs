//! How the system starts, as the firmware would take it.

pub mod esp;
pub mod firmware;
pub mod grub_menu;
mod grubenv;
pub mod loader_entries;
mod root_grub;
pub mod way;

pub use grubenv::parse_grubenv;

use hardware::{FirmwareKind, Reading};
use serde::{Deserialize, Serialize};

use crate::reader::Reader;
use esp::EspState;
use firmware::BootEntries;
use grub_menu::GrubMenu;
use root_grub::RootGrub;
use way::Way;

/// Everything that takes part in starting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// How this machine was started just now, when it is the one that the system is on.
    pub firmware: Reading<FirmwareKind>,
    /// The firmware's own entries.
    pub entries: Reading<BootEntries>,
    /// Volume ids of the ESPs that proxmox-boot-tool keeps; absent where it is not used.
    pub proxmox_boot_tool: Reading<Vec<String>>,
    /// The kernel that was pinned with proxmox-boot-tool; absent where none is.
    pub pin: Reading<String>,
    /// The kernel that was pinned for the next start alone.
    pub next_pin: Reading<String>,
    /// The menu of /boot/grub in the root, as GRUB for UEFI runs it; absent without one.
    #[serde(default)]
    pub grub: Reading<GrubMenu>,
    /// The same as GRUB for BIOS runs it.
    #[serde(default)]
    pub grub_bios: Reading<GrubMenu>,
    /// Every ESP.
    pub esps: Vec<EspState>,
    /// What happens on a start by UEFI.
    pub uefi: Way,
    /// What happens on a start by BIOS.
    pub bios: Way,
}

impl Boot {
    /// The ways that can be taken: one where the firmware is known, else each that leads anywhere.
    pub fn ways(&self) -> Vec<(FirmwareKind, &Way)> {
        let both = [
            (FirmwareKind::Uefi, &self.uefi),
            (FirmwareKind::Bios, &self.bios),
        ];
        let taken = self.firmware.known();
        both.into_iter()
            .filter(|(kind, way)| match taken {
                Some(taken) => taken == kind,
                None => way.method != Reading::Absent,
            })
            .collect()
    }

    pub(crate) fn read(
        root: &Reader,
        esps: Vec<EspState>,
        firmware: Reading<FirmwareKind>,
        entries: Reading<BootEntries>,
    ) -> Self {
        let listed = listed(root);
        let mut esps = esps;
        for esp in &mut esps {
            esp.listed = match (&listed, &esp.volume_id) {
                (Reading::Known(ids), Some(id)) => {
                    Some(ids.iter().any(|listed| listed.eq_ignore_ascii_case(id)))
                }
                _ => None,
            };
        }
        let managed = listed.known().is_some();
        let root_grub = RootGrub::read(root);
        let uefi = way::by_uefi(&esps, &entries, managed, &root_grub);
        let bios = way::by_bios(&esps, managed, &root_grub);
        Self {
            firmware,
            entries,
            proxmox_boot_tool: listed,
            pin: pin(root, "proxmox-boot-pin"),
            next_pin: pin(root, "next-boot-pin"),
            grub: root_grub.uefi,
            grub_bios: root_grub.bios,
            esps,
            uefi,
            bios,
        }
    }
}

fn pin(root: &Reader, name: &str) -> Reading<String> {
    let text = root.text(&format!("/etc/kernel/{name}"));
    text.map(|text| text.trim().to_owned())
}

/// /etc/kernel/proxmox-boot-uuids, before 2022 pve-efiboot-uuids.
fn listed(root: &Reader) -> Reading<Vec<String>> {
    let ids = |text: String| {
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    match root.text("/etc/kernel/proxmox-boot-uuids") {
        Reading::Absent => root.text("/etc/kernel/pve-efiboot-uuids").map(ids),
        other => other.map(ids),
    }
}

#[cfg(test)]
mod tests;
