use hardware::Reading;

use super::grub_menu::GrubMenu;
use super::grubenv::parse_grubenv;
use crate::reader::{Reader, Trouble};

/// GRUB's files below /boot of a root, or of an ESP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RootGrub {
    /// grub.cfg as GRUB for UEFI runs it, and for BIOS.
    pub(super) uefi: Reading<GrubMenu>,
    pub(super) bios: Reading<GrubMenu>,
    /// The path of grub.cfg, as a person reads it.
    pub(super) path: String,
    /// Whether GRUB's modules for BIOS are there: grub-install was run for it.
    pub(super) installed_for_bios: bool,
}

impl RootGrub {
    pub(super) fn read(reader: &Reader) -> Self {
        Self::read_below(reader, "/boot/grub")
    }

    pub(super) fn read_below(reader: &Reader, folder: &str) -> Self {
        let path = format!("{folder}/grub.cfg");
        let environment = reader.text(&format!("{folder}/grubenv"));
        let environment = environment.known().and_then(|text| {
            parse_grubenv(text)
                .map_err(|why| {
                    let shown = reader.shown(&format!("{folder}/grubenv"));
                    reader.note(Trouble::HalfWritten(format!("{shown}: {why}")));
                })
                .ok()
        });
        let text = reader.text(&path);
        let menu = |platform: &str| {
            text.as_ref()
                .map(|text| GrubMenu::parse(text, environment.as_ref(), platform))
        };
        Self {
            uefi: menu("efi"),
            bios: menu("pc"),
            path: reader.shown(&path),
            installed_for_bios: reader.is_file(&format!("{folder}/i386-pc/normal.mod")),
        }
    }
}
