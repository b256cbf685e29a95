use proxmox::boot::esp::{EspKernel, EspState};

use super::EspError;

/// How proxmox-boot-tool lays an ESP out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `EFI/proxmox/<version>` and `loader/entries`.
    SystemdBoot,
    /// Kernels at the ESP's root, and `grub/grub.cfg`.
    Grub,
}

/// The layouts of an ESP from which a system starts. Where GRUB is in EFI/proxmox, what is left of a systemd-boot
/// starts nothing, as proxmox-boot-tool itself has it; else an ESP may have systemd-boot for a start by UEFI and
/// GRUB for one by BIOS.
///
/// # Errors
/// An ESP without kernels in either, or without the entries to them.
pub fn layouts(state: &EspState) -> Result<Vec<Layout>, EspError> {
    let mut found = Vec::new();
    for layout in [Layout::SystemdBoot, Layout::Grub] {
        let mut kernels = state
            .kernels
            .iter()
            .filter(|kernel| !state.left_over().any(|other| other == *kernel));
        let is_used = kernels.any(|kernel| Layout::of(kernel) == layout);
        if is_used && !layout.entries(state).is_empty() {
            found.push(layout);
        }
    }
    if found.is_empty() {
        return Err(EspError::Layout {
            esp: state.label(),
            why: "neither EFI/proxmox with loader/entries nor kernels beside grub/grub.cfg are there",
        });
    }
    Ok(found)
}

impl Layout {
    /// The one that a kernel lies in.
    pub(super) fn of(kernel: &EspKernel) -> Self {
        match kernel.is_for_systemd_boot() {
            true => Self::SystemdBoot,
            false => Self::Grub,
        }
    }

    /// The files that say what starts, from the ESP's root.
    pub(super) fn entries(self, state: &EspState) -> Vec<String> {
        match self {
            Self::SystemdBoot => {
                let menu = state.systemd_boot.known();
                let entries = menu.map(|menu| menu.ordinary()).unwrap_or_default();
                let paths = entries
                    .iter()
                    .map(|entry| format!("loader/entries/{}", entry.file));
                paths.collect()
            }
            Self::Grub => {
                let there = state.grub.known().is_some() || state.grub_bios.known().is_some();
                there
                    .then(|| "grub/grub.cfg".to_owned())
                    .into_iter()
                    .collect()
            }
        }
    }
}
