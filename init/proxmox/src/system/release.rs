//! Which system it is.

use std::collections::BTreeMap;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::reader::Reader;
use crate::shell::Assignments;

/// dpkg's list of a host with many packages is some 5 MB.
const STATUS: u64 = 64 << 20;

/// Packages whose version says how the system boots and runs guests.
const PACKAGES: [&str; 14] = [
    "dracut",
    "driverctl",
    "initramfs-tools",
    "libvirt-daemon",
    "mdevctl",
    "proxmox-boot-tool",
    "proxmox-kernel-helper",
    "proxmox-ve",
    "pve-kernel-helper",
    "pve-manager",
    "qemu-server",
    "sysfsutils",
    "systemd-boot",
    "zfsutils-linux",
];

/// What is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Release {
    /// Proxmox VE.
    ProxmoxVe {
        /// Of pve-manager: `8.2.4`.
        version: String,
    },
    /// Debian, or what is made from it.
    DebianFamily {
        /// As /etc/os-release names it.
        name: String,
    },
    /// Another Linux. It is named, and left alone.
    OtherLinux {
        /// As /etc/os-release names it.
        name: String,
    },
    /// No /etc/os-release, so perhaps no system at all.
    Unknown,
}

impl Release {
    /// As a person calls it.
    pub fn name(&self) -> String {
        match self {
            Self::ProxmoxVe { version } => format!("Proxmox VE {version}"),
            Self::DebianFamily { name } | Self::OtherLinux { name } => name.clone(),
            Self::Unknown => "a system that does not say what it is".to_owned(),
        }
    }
}

/// Installed packages that matter here: name and version.
pub fn parse_dpkg_status(text: &str) -> BTreeMap<String, String> {
    let mut packages = BTreeMap::new();
    for paragraph in text.split("\n\n") {
        let field = |name: &str| {
            let lines = paragraph.lines();
            let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            values.next().map(str::trim)
        };
        let (Some(package), Some(version)) = (field("Package"), field("Version")) else {
            continue;
        };
        let installed = field("Status").is_some_and(|status| status.ends_with(" installed"));
        if installed && PACKAGES.contains(&package) {
            packages.insert(package.to_owned(), version.to_owned());
        }
    }
    packages
}

pub(crate) fn packages(reader: &Reader) -> Reading<BTreeMap<String, String>> {
    let status = reader.bytes("/var/lib/dpkg/status", STATUS);
    status.map(|bytes| parse_dpkg_status(&String::from_utf8_lossy(&bytes)))
}

pub(crate) fn release(reader: &Reader, packages: &Reading<BTreeMap<String, String>>) -> Release {
    let version = packages.known().and_then(|packages| {
        packages
            .get("pve-manager")
            .or_else(|| packages.get("proxmox-ve"))
    });
    if let Some(version) = version {
        return Release::ProxmoxVe {
            version: version.clone(),
        };
    }
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| reader.text(path).known().cloned());
    let Some(text) = text else {
        return Release::Unknown;
    };
    let mut variables = BTreeMap::new();
    Assignments::parse(&text).evaluate(&mut variables);
    let value = |name: &str| {
        variables
            .get(name)
            .map(|value| value.text.as_str())
            .unwrap_or_default()
    };
    let name = [value("PRETTY_NAME"), value("NAME"), value("ID")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or("a Linux without a name")
        .to_owned();
    let mut family = value("ID_LIKE")
        .split_ascii_whitespace()
        .chain([value("ID")]);
    if family.any(|id| id == "debian" || id == "ubuntu") {
        Release::DebianFamily { name }
    } else {
        Release::OtherLinux { name }
    }
}

/// /etc/hostname, without a domain.
pub(crate) fn node(reader: &Reader) -> Reading<String> {
    reader.text("/etc/hostname").and_then(|text| {
        let lines = text.lines().map(str::trim);
        let mut names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let name = names.next().ok_or("/etc/hostname is empty")?;
        Ok(name.split('.').next().unwrap_or(name).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    const STATUS: &str = "Package: pve-manager\nStatus: install ok installed\nArchitecture: all\nVersion: 8.2.4\nDescription: x\n Version: 1\n\n\
                          Package: dracut\nStatus: deinstall ok config-files\nVersion: 059-4\n\nPackage: vim\nStatus: install ok installed\nVersion: 9\n";

    fn of(files: &MemoryFiles) -> Release {
        let reader = Reader::new(files, String::new());
        release(&reader, &packages(&reader))
    }

    #[test]
    fn an_installed_pve_manager_makes_it_proxmox_ve() {
        let files = MemoryFiles::new().file("var/lib/dpkg/status", STATUS);
        let version = "8.2.4".to_owned();
        assert_eq!(of(&files), Release::ProxmoxVe { version });
        let packages = parse_dpkg_status(STATUS);
        assert_eq!(packages.keys().collect::<Vec<_>>(), ["pve-manager"]);
    }

    #[test]
    fn others_are_named_by_os_release() {
        let ubuntu = MemoryFiles::new()
            .file(
                "usr/lib/os-release",
                "PRETTY_NAME=\"Ubuntu 24.04 LTS\"\nID=ubuntu\nID_LIKE=debian\n",
            )
            .symlink("etc/os-release", "../usr/lib/os-release");
        let name = "Ubuntu 24.04 LTS".to_owned();
        assert_eq!(of(&ubuntu), Release::DebianFamily { name });
        let fedora = MemoryFiles::new().file("etc/os-release", "NAME=Fedora\nID=fedora\n");
        let name = "Fedora".to_owned();
        assert_eq!(of(&fedora), Release::OtherLinux { name });
        assert_eq!(of(&MemoryFiles::new()), Release::Unknown);
    }
}
