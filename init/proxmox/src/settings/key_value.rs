use serde::{Deserialize, Serialize};

use crate::place::{Place, Setting};
use crate::reader::Reader;

/// `key = value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// As it is written.
    pub key: String,
    /// As it is written.
    pub value: String,
}

/// What of sysctl touches passthrough: huge pages, locked memory, and overcommitting it.
const SYSCTL: [&str; 3] = [
    "vm.nr_hugepages",
    "vm.overcommit_memory",
    "vm.hugetlb_shm_group",
];

/// Lines `key = value`; `#` and `;` begin comments, a `-` before a key lets it fail (sysctl.d(5)).
fn parse(text: &str) -> impl Iterator<Item = (usize, KeyValue)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let key = key.trim().trim_start_matches('-');
        let pair = KeyValue {
            key: key.to_owned(),
            value: value.trim().to_owned(),
        };
        Some((index + 1, pair))
    })
}

fn files(reader: &Reader, single: &str, folders: &[&str], ending: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in folders {
        let texts = reader.texts(folder, ending).into_iter();
        files.extend(texts.map(|(name, text)| (format!("{folder}/{name}"), text)));
    }
    let text = reader.text(single).known().cloned();
    files.extend(text.map(|text| (single.to_owned(), text)));
    files
}

fn settings(files: &[(String, String)]) -> impl Iterator<Item = Setting<KeyValue>> {
    files.iter().flat_map(|(path, text)| {
        parse(text).map(|(line, value)| Setting {
            value,
            place: Place::new(path, line),
        })
    })
}

pub(super) fn read_sysctl(reader: &Reader) -> Vec<Setting<KeyValue>> {
    let files = files(reader, "/etc/sysctl.conf", &["/etc/sysctl.d"], ".conf");
    settings(&files)
        .filter(|setting| {
            let key = setting.value.key.replace('/', ".");
            SYSCTL.contains(&key.as_str())
        })
        .collect()
}

pub(super) fn read_sysfs(reader: &Reader) -> Vec<Setting<KeyValue>> {
    let files = files(reader, "/etc/sysfs.conf", &["/etc/sysfs.d"], ".conf");
    settings(&files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    #[test]
    fn virtual_functions_made_by_sysfsutils_are_seen() {
        let files = MemoryFiles::new()
            .file(
                "etc/sysfs.conf",
                "# SR-IOV\nbus/pci/devices/0000:01:00.0/sriov_numvfs = 4\n",
            )
            .file(
                "etc/sysctl.d/hp.conf",
                "vm/nr_hugepages=512\nnet.ipv4.ip_forward=1\n",
            );
        let reader = Reader::new(&files, String::new());
        let sysfs = read_sysfs(&reader);
        assert_eq!(sysfs[0].value.value, "4");
        assert_eq!(sysfs[0].place.to_string(), "/etc/sysfs.conf:2");
        let sysctl = read_sysctl(&reader);
        assert_eq!(sysctl.len(), 1);
    }
}
