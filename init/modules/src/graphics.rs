use crate::glob::matches;

/// The drivers that must never run before the card was looked at, one a line; the file says how.
const LIST: &str = include_str!("../../../boot-assets/graphics-drivers.list");

/// Whether a module file is a driver that must never run before the card was looked at. `path` is as in
/// modules.dep, relative to the folder of the kernel release.
pub fn is_graphics_driver(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let folders = format!("/{folders}/");
    let name = crate::ModuleName::of_file(path);
    LIST.lines().any(|line| {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("folder"), Some(folder)) => folders.contains(&format!("/{folder}/")),
            (Some("name"), Some(pattern)) => name
                .as_ref()
                .is_some_and(|name| matches(pattern, name.as_str())),
            _ => false,
        }
    })
}

/// Whether a modalias is that of a display controller (base class 03), which gets no driver at all.
pub(crate) fn is_display_modalias(modalias: &str) -> bool {
    modalias
        .strip_prefix("pci:")
        .and_then(|fields| fields.rsplit_once("bc"))
        .is_some_and(|(_, class)| class.starts_with("03"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphics_drivers_are_known_by_folder_and_by_name() {
        for path in [
            "kernel/drivers/gpu/drm/nouveau/nouveau.ko",
            "kernel/drivers/video/fbdev/nvidia/nvidiafb.ko.xz",
            "kernel/sound/pci/hda/snd-hda-intel.ko",
            "updates/dkms/nvidia-drm.ko.zst",
            "extra/xe.ko",
        ] {
            assert!(is_graphics_driver(path), "{path}");
        }
        assert!(!is_graphics_driver("kernel/drivers/ata/ahci.ko"));
    }

    #[test]
    fn a_display_controller_is_known_by_its_modalias() {
        assert!(is_display_modalias(
            "pci:v000010DEd00000FC6sv00001043sd00008428bc03sc00i00"
        ));
        assert!(!is_display_modalias(
            "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"
        ));
        assert!(!is_display_modalias("usb:v046Dpbc03"));
    }
}
