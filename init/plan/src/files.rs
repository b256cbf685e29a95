use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hardware::Reading;
use modules::ModuleName;
use proxmox::Installation;
use proxmox::files::{Files, RootError};
use proxmox::guests::read_tree;
use serde::{Deserialize, Serialize};

/// Configuration files are small; what is larger is none. An option ROM has 16 MiB at most.
const LARGEST: u64 = 16 << 20;
/// modules.alias of a distribution's kernel is some 2 MB.
const MODULES_FILE: u64 = 64 << 20;

/// Files that a plan may change, by name.
const SINGLE: [&str; 9] = [
    "/etc/default/grub",
    "/etc/kernel/cmdline",
    "/etc/libvirt/hooks/qemu.d/preflight-rescan",
    "/etc/modules",
    "/etc/initramfs-tools/modules",
    "/etc/initramfs-tools/scripts/init-top/preflight-vfio",
    "/etc/ssh/sshd_config",
    "/etc/sysfs.conf",
    "/etc/udev/rules.d/70-preflight-sriov.rules",
];

/// Folders of files that a plan may change, and how their names end.
const FOLDERS: [(&str, &str); 6] = [
    ("/etc/default/grub.d", ".cfg"),
    ("/etc/modprobe.d", ".conf"),
    ("/etc/modules-load.d", ".conf"),
    ("/etc/sysfs.d", ".conf"),
    ("/etc/dracut.conf.d", ".conf"),
    ("/usr/share/kvm", ".rom"),
];

/// The bytes that a plan is made from, beside what an [`Installation`] says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemFiles {
    /// Files of the root, by their whole path.
    pub root: BTreeMap<String, Vec<u8>>,
    /// Files of /etc/pve, by their path below it; unknown where its database cannot be read.
    pub pve: Reading<BTreeMap<String, Vec<u8>>>,
    /// Which modules each kernel has for which PCI device: the `alias pci:` lines of its modules.alias.
    pub aliases: BTreeMap<String, Vec<(String, String)>>,
    /// What each kernel's modules of VFIO need, by its modules.dep: a module, and those it depends on. A kernel
    /// whose modules.dep could not be read is not in it.
    #[serde(default)]
    pub dependencies: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The drivers that are part of each kernel: names, by its modules.builtin.
    #[serde(default)]
    pub built_in: BTreeMap<String, BTreeSet<String>>,
    /// Which of them are for which PCI device, as far as its modules.builtin.modinfo says so.
    #[serde(default)]
    pub built_in_aliases: BTreeMap<String, Vec<(String, String)>>,
    /// What is there and could not be read, files and folders, each with the reason: no such file is changed, and
    /// none that what is in it could speak against.
    pub unread: BTreeMap<String, String>,
}

impl SystemFiles {
    /// Reads what a plan needs. Never fails: what could not be read is in `unread`.
    pub fn read(files: &dyn Files, installation: &Installation) -> Self {
        let mut read = Self::default();
        for path in SINGLE {
            read.take(files, path);
        }
        for (folder, ending) in FOLDERS {
            let names = match files.list(Path::new(folder)) {
                Ok(names) => names,
                Err(RootError::Missing(_)) => Vec::new(),
                Err(error) => {
                    read.unread.insert(folder.to_owned(), error.to_string());
                    Vec::new()
                }
            };
            for name in names.iter().filter_map(|name| name.to_str()) {
                if name.ends_with(ending) && !name.starts_with('.') {
                    read.take(files, &format!("{folder}/{name}"));
                }
            }
        }
        read.pve = read_tree(files).map(|tree| {
            let files = tree.files();
            files
                .map(|(path, bytes)| (path.to_owned(), bytes.to_vec()))
                .collect()
        });
        for kernel in &installation.kernels {
            let version = kernel.version.as_str();
            if let Some(text) = modules_file(files, version, "modules.alias") {
                let parsed = parse_aliases(&text);
                read.aliases.insert(version.to_owned(), parsed);
            }
            if let Some(text) = modules_file(files, version, "modules.dep") {
                let parsed = parse_dependencies(&text);
                read.dependencies.insert(version.to_owned(), parsed);
            }
            if let Some(text) = modules_file(files, version, "modules.builtin") {
                let names = text.lines().filter_map(ModuleName::of_file);
                let names = names.map(|name| name.to_string()).collect();
                read.built_in.insert(version.to_owned(), names);
            }
            if let Some(text) = modules_file(files, version, "modules.builtin.modinfo") {
                let parsed = parse_modinfo(&text);
                read.built_in_aliases.insert(version.to_owned(), parsed);
            }
        }
        read
    }

    fn take(&mut self, files: &dyn Files, path: &str) {
        match files.read(Path::new(path), LARGEST) {
            Ok(bytes) => {
                self.root.insert(path.to_owned(), bytes);
            }
            Err(RootError::Missing(_)) => {}
            // So a file is switched off; in a root that does not run, the device is not there.
            Err(RootError::Dangling { .. })
                if files
                    .link(Path::new(path))
                    .is_ok_and(|to| to == Path::new("/dev/null")) => {}
            Err(error) => {
                self.unread.insert(path.to_owned(), error.to_string());
            }
        }
    }
}

/// A file that depmod wrote for a kernel.
fn modules_file(files: &dyn Files, version: &str, name: &str) -> Option<String> {
    let bytes = ["/lib/modules", "/usr/lib/modules"]
        .iter()
        .find_map(|folder| {
            let path = format!("{folder}/{version}/{name}");
            files.read(Path::new(&path), MODULES_FILE).ok()
        });
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Each module of VFIO with those that it depends on.
fn parse_dependencies(text: &str) -> BTreeMap<String, Vec<String>> {
    let name = |path: &str| ModuleName::of_file(path).map(|name| name.to_string());
    let lines = text.lines().filter_map(|line| {
        let (path, needed) = line.split_once(':')?;
        let module = name(path).filter(|module| module.starts_with("vfio"))?;
        Some((module, needed.split_whitespace().filter_map(name).collect()))
    });
    lines.collect()
}

/// Pattern and driver of each alias of PCI: entries `module.key=value`, each with a NUL behind it (kbuild.rst,
/// modules.builtin.modinfo).
fn parse_modinfo(text: &str) -> Vec<(String, String)> {
    let entries = text.split('\0').filter_map(|entry| {
        let (name, pattern) = entry.split_once('=')?;
        let module = name.strip_suffix(".alias")?;
        pattern
            .starts_with("pci:")
            .then(|| (pattern.to_owned(), module.replace('-', "_")))
    });
    entries.collect()
}

/// Pattern and module of each line that speaks of PCI.
fn parse_aliases(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| {
        let (pattern, module) = line.strip_prefix("alias ")?.split_once(' ')?;
        pattern
            .starts_with("pci:")
            .then(|| (pattern.to_owned(), module.trim().replace('-', "_")))
    });
    lines.collect()
}
