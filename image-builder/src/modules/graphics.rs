//! No image carries a driver that could touch a graphics card: the card must stay as the firmware
//! left it.

use super::{ModInfo, ModuleName, alias_matches};

/// The drivers that are known by folder or name; the file says how.
const LIST: &str = include_str!("../../../boot-assets/graphics-drivers.list");

/// A PCI alias for every display controller (class code 03).
const DISPLAY_CLASS: &str = "pci:v*d*sv*sd*bc03*";

/// Why this module must not be in an image, if it must not.
pub(super) fn objection(name: &ModuleName, path: &str, info: &ModInfo) -> Option<&'static str> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let folders = format!("/{folders}/");
    let listed = LIST.lines().find_map(|line| {
        let mut words = line.splitn(3, ' ');
        let is_meant = match (words.next()?, words.next()?) {
            ("folder", folder) => folders.contains(&format!("/{folder}/")),
            ("name", pattern) => alias_matches(pattern, name.as_str()),
            _ => false,
        };
        words.next().filter(|_| is_meant)
    });
    if listed.is_some() {
        return listed;
    }
    let file = path.rsplit('/').next().unwrap_or_default();
    if folders.contains("/drivers/staging/") && (folders.contains("fb") || file.contains("fb")) {
        return Some("a framebuffer driver");
    }
    let for_displays = |alias: &String| alias.starts_with("pci:") && class_is_display(alias);
    if info.aliases.iter().any(for_displays) {
        return Some("its aliases name display controllers");
    }
    None
}

fn class_is_display(alias: &str) -> bool {
    alias_matches(DISPLAY_CLASS, alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, aliases: &[&str]) -> bool {
        let info = ModInfo {
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
            ..ModInfo::default()
        };
        objection(&ModuleName::from_path(path).unwrap(), path, &info).is_some()
    }

    #[test]
    fn graphics_drivers_are_refused_by_folder_name_and_class() {
        for path in [
            "kernel/drivers/gpu/drm/drm.ko",
            "kernel/drivers/video/fbdev/vga16fb.ko",
            "kernel/drivers/staging/sm750fb/sm750fb.ko",
            "kernel/sound/pci/hda/snd-hda-intel.ko.xz",
            "updates/dkms/nvidia-modeset.ko",
            "extra/xe.ko",
        ] {
            assert!(refused(path, &[]), "{path}");
        }
        let any_display = "pci:v*d*sv*sd*bc03sc*i*";
        assert!(refused("extra/newgpu.ko", &[any_display]));
        assert!(refused(
            "extra/newgpu.ko",
            &["pci:v00001002d*sv*sd*bc03sc00i00*"]
        ));
    }

    #[test]
    fn storage_and_input_pass() {
        for path in [
            "kernel/drivers/ata/ahci.ko",
            "kernel/drivers/hid/hid-generic.ko",
            "kernel/fs/xfs/xfs.ko",
        ] {
            assert!(
                !refused(path, &["pci:v00008086d00002922sv*sd*bc*sc*i*"]),
                "{path}"
            );
        }
    }
}
