use serde::{Deserialize, Serialize};

use super::modprobe::underscored;
use crate::place::{Place, Setting};
use crate::reader::Reader;

/// A module named in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedModule {
    /// With underscores.
    pub module: String,
    /// Options behind it.
    pub options: Vec<String>,
    /// Which list.
    pub list: ModuleList,
}

/// When a list is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModuleList {
    /// /etc/modules and modules-load.d: systemd-modules-load, late in the boot.
    Boot,
    /// /etc/initramfs-tools/modules: in the initrd, before any driver is loaded for a device.
    Initrd,
}

/// Each module of a list, with its line: comments begin with `#` or `;` (modules-load.d(5), modules(5),
/// initramfs-tools(7)).
pub fn parse_module_list(text: &str) -> Vec<(usize, String, Vec<String>)> {
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with(';') {
            return None;
        }
        let mut words = line.split_ascii_whitespace();
        let module = underscored(words.next()?);
        Some((index + 1, module, words.map(str::to_owned).collect()))
    });
    lines.collect()
}

pub(super) fn read(reader: &Reader) -> Vec<Setting<ListedModule>> {
    let mut files = Vec::new();
    let single = [
        ("/etc/modules", ModuleList::Boot),
        ("/etc/initramfs-tools/modules", ModuleList::Initrd),
    ];
    for (path, list) in single {
        let text = reader.text(path).known().cloned();
        files.extend(text.map(|text| (path.to_owned(), text, list)));
    }
    for folder in ["/etc/modules-load.d", "/usr/lib/modules-load.d"] {
        // Debian links modules.conf to /etc/modules, which is read already.
        let texts = reader.texts(folder, ".conf").into_iter();
        let texts = texts.filter(|(name, _)| name != "modules.conf");
        files
            .extend(texts.map(|(name, text)| (format!("{folder}/{name}"), text, ModuleList::Boot)));
    }
    let mut listed = Vec::new();
    for (path, text, list) in files {
        for (line, module, options) in parse_module_list(&text) {
            listed.push(Setting {
                value: ListedModule {
                    module,
                    options,
                    list,
                },
                place: Place::new(&path, line),
            });
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    #[test]
    fn both_lists_are_read_without_comments() {
        let files = MemoryFiles::new()
            .file(
                "etc/modules",
                "# /etc/modules\nvfio\n  vfio-pci ids=10de:1b80 # mine\n;no\n\n",
            )
            .file("etc/initramfs-tools/modules", "vfio_virqfd\n")
            .symlink("etc/modules-load.d/modules.conf", "../modules");
        let listed = read(&Reader::new(&files, String::new()));
        let shown: Vec<_> = listed
            .iter()
            .map(|setting| {
                format!(
                    "{} {} {:?}",
                    setting.place, setting.value.module, setting.value.list
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "/etc/modules:2 vfio Boot",
                "/etc/modules:3 vfio_pci Boot",
                "/etc/initramfs-tools/modules:1 vfio_virqfd Initrd",
            ]
        );
        assert_eq!(listed[1].value.options, ["ids=10de:1b80"]);
    }
}
