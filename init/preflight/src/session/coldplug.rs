use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// No path of the device tree is deeper; this ends a tree that is wrong.
const DEEPEST: usize = 40;

/// The modaliases of all devices that are there now, below `devices` (normally /sys/devices), each once.
pub fn modaliases(devices: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(devices, 0, &mut found);
    found
}

fn collect(folder: &Path, depth: usize, found: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        // Links lead back up the tree, so only real folders are followed.
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth < DEEPEST {
            collect(&entry.path(), depth + 1, found);
        } else if kind.is_file() && entry.file_name() == "modalias" {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let modalias = text.trim();
            if !modalias.is_empty() {
                found.insert(modalias.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_device_is_found_once_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("pci0000:00/0000:00:14.0/usb1/1-1");
        fs::create_dir_all(&deep).unwrap();
        fs::write(
            root.path().join("pci0000:00/0000:00:14.0/modalias"),
            "pci:v8086\n",
        )
        .unwrap();
        fs::write(deep.join("modalias"), "usb:v1\n").unwrap();
        fs::write(root.path().join("modalias"), "\n").unwrap();
        symlink(root.path(), deep.join("subsystem")).unwrap();
        let expected = BTreeSet::from(["pci:v8086".to_owned(), "usb:v1".to_owned()]);
        assert_eq!(modaliases(root.path()), expected);
    }
}
