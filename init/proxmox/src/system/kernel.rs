//! What an installed kernel can do, by its own files.

use std::fmt;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::reader::Reader;

/// System.map of a Proxmox kernel is some 9 MB.
const SYSTEM_MAP: u64 = 64 << 20;
/// Debian ships one line that says where the real one is.
const SYSTEM_MAP_STUB: usize = 4096;

/// A kernel in /boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// vfio-pci.
    pub vfio_pci: Reading<Presence>,
    /// vfio_iommu_type1, which maps a guest's memory for its devices.
    pub vfio_iommu_type1: Reading<Presence>,
    /// vfio_virqfd as a module of its own; folded into vfio since 6.2.
    pub vfio_virqfd: Reading<Presence>,
    /// Whether `intel_iommu=on` is the default (CONFIG_INTEL_IOMMU_DEFAULT_ON).
    pub intel_iommu_default: Reading<bool>,
    /// simpledrm, which takes the firmware's framebuffer.
    pub simpledrm: Reading<Presence>,
    /// simplefb, the older one.
    pub simplefb: Reading<Presence>,
    /// Whether it knows `pcie_acs_override`, a patch that is not in Linux itself.
    pub acs_override: Reading<bool>,
}

/// How a kernel has a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// Always there; modprobe.d has no say.
    BuiltIn,
    /// As a module.
    Module,
    /// Not at all.
    Missing,
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "built in",
            Self::Module => "a module",
            Self::Missing => "not there",
        })
    }
}

/// What a kernel's config says of a symbol without its CONFIG_.
fn presence(config: &str, symbol: &str) -> Presence {
    let value = config.lines().find_map(|line| {
        line.strip_prefix("CONFIG_")?
            .strip_prefix(symbol)?
            .strip_prefix('=')
    });
    match value {
        Some("y") => Presence::BuiltIn,
        Some("m") => Presence::Module,
        _ => Presence::Missing,
    }
}

pub(crate) fn facts(reader: &Reader, version: &str) -> KernelFacts {
    let config = reader.text(&format!("/boot/config-{version}"));
    let builtin = modules_file(reader, version, "modules.builtin");
    let known = |symbol: &str, module: &str| match (&config, &builtin) {
        (Reading::Known(config), _) => Reading::Known(presence(config, symbol)),
        // Without its config a kernel still says which drivers are built in.
        (_, Reading::Known(builtin)) if names(builtin, module) => Reading::Known(Presence::BuiltIn),
        (_, Reading::Known(_)) => match modules_file(reader, version, "modules.dep") {
            Reading::Known(list) if names(&list, module) => Reading::Known(Presence::Module),
            Reading::Known(_) => Reading::Known(Presence::Missing),
            Reading::Absent | Reading::Unknown(_) => unread(version),
        },
        _ => unread(version),
    };
    let virqfd = known("VFIO_VIRQFD", "vfio_virqfd").map(|presence| match presence {
        // Since 6.2 the symbol is a switch, and no module has that name.
        Presence::BuiltIn => Presence::Missing,
        other => other,
    });
    KernelFacts {
        vfio_pci: known("VFIO_PCI", "vfio_pci"),
        vfio_iommu_type1: known("VFIO_IOMMU_TYPE1", "vfio_iommu_type1"),
        vfio_virqfd: virqfd,
        intel_iommu_default: match &config {
            Reading::Known(config) => {
                Reading::Known(presence(config, "INTEL_IOMMU_DEFAULT_ON") == Presence::BuiltIn)
            }
            _ => unread(version),
        },
        simpledrm: known("DRM_SIMPLEDRM", "simpledrm"),
        simplefb: known("FB_SIMPLE", "simplefb"),
        acs_override: acs_override(reader, version),
    }
}

fn unread<T>(version: &str) -> Reading<T> {
    Reading::unknown(format!("/boot/config-{version} could not be read"))
}

fn modules_file(reader: &Reader, version: &str, name: &str) -> Reading<String> {
    match reader.text(&format!("/lib/modules/{version}/{name}")) {
        Reading::Absent => reader.text(&format!("/usr/lib/modules/{version}/{name}")),
        other => other,
    }
}

/// Whether a list of module paths has the module.
fn names(list: &str, module: &str) -> bool {
    list.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        crate::initrd::module_name(path).as_deref() == Some(module)
    })
}

fn acs_override(reader: &Reader, version: &str) -> Reading<bool> {
    let map = reader.bytes(&format!("/boot/System.map-{version}"), SYSTEM_MAP);
    match map {
        Reading::Known(map) if map.len() > SYSTEM_MAP_STUB => {
            Reading::Known(contains(&map, b"pcie_acs_override"))
        }
        // Every Proxmox kernel has the patch, and no Debian kernel has it.
        _ if version.ends_with("-pve") => Reading::Known(true),
        _ if version.ends_with("-amd64") => Reading::Known(false),
        _ => Reading::unknown(format!("/boot/System.map-{version} names no symbols")),
    }
}

pub(crate) fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else {
        return true;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(wanted) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    fn of(files: &MemoryFiles, version: &str) -> KernelFacts {
        facts(&Reader::new(files, String::new()), version)
    }

    #[test]
    fn the_config_says_what_is_built_in() {
        let files = MemoryFiles::new().file(
            "boot/config-6.8.12-2-pve",
            "CONFIG_VFIO_PCI=m\nCONFIG_VFIO_PCI_CORE=m\nCONFIG_VFIO_IOMMU_TYPE1=y\nCONFIG_VFIO_VIRQFD=y\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\nCONFIG_DRM_SIMPLEDRM=y\n# CONFIG_FB_SIMPLE is not set\n",
        );
        let facts = of(&files, "6.8.12-2-pve");
        assert_eq!(facts.vfio_pci, Reading::Known(Presence::Module));
        assert_eq!(facts.vfio_iommu_type1, Reading::Known(Presence::BuiltIn));
        assert_eq!(facts.vfio_virqfd, Reading::Known(Presence::Missing));
        assert_eq!(facts.intel_iommu_default, Reading::Known(true));
        assert_eq!(facts.simpledrm, Reading::Known(Presence::BuiltIn));
        assert_eq!(facts.simplefb, Reading::Known(Presence::Missing));
        assert_eq!(facts.acs_override, Reading::Known(true));
    }

    #[test]
    fn without_a_config_the_lists_of_modules_tell() {
        let files = MemoryFiles::new()
            .file(
                "usr/lib/modules/5.4.30-1-pve/modules.builtin",
                "kernel/drivers/vfio/pci/vfio-pci.ko\n",
            )
            .file(
                "usr/lib/modules/5.4.30-1-pve/modules.dep",
                "kernel/drivers/vfio/vfio_virqfd.ko: kernel/drivers/vfio/vfio.ko\n\
                 kernel/drivers/vfio/vfio_iommu_type1.ko: kernel/drivers/vfio/vfio.ko\n",
            )
            .symlink("lib", "usr/lib");
        let facts = of(&files, "5.4.30-1-pve");
        assert_eq!(facts.vfio_pci, Reading::Known(Presence::BuiltIn));
        assert_eq!(facts.vfio_iommu_type1, Reading::Known(Presence::Module));
        assert_eq!(facts.vfio_virqfd, Reading::Known(Presence::Module));
        assert!(facts.intel_iommu_default.is_unknown());
    }

    #[test]
    fn a_map_of_symbols_shows_the_acs_patch() {
        let map = "ffffffff81000000 t some_symbol\n".repeat(300);
        let with = MemoryFiles::new()
            .file(
                "boot/System.map-6.1",
                format!("{map}ffffffff83000000 t pcie_acs_override_setup\n"),
            )
            .file("boot/System.map-6.2", map);
        assert_eq!(of(&with, "6.1").acs_override, Reading::Known(true));
        assert_eq!(of(&with, "6.2").acs_override, Reading::Known(false));
        assert!(of(&with, "6.3").acs_override.is_unknown());
    }
}
