use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pci::{Address, ConfigSpace};

/// Files of a fixture folder beside the working tree; none, with a printed reason, where it is not there.
/// In CI, and where the lab is said to be complete, that is a failure.
fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/pci-config")
        .join(folder);
    match std::fs::read_dir(&root) {
        Ok(entries) => {
            let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            files.sort();
            files
        }
        Err(error) => {
            let demanded =
                ["CI", "PREFLIGHT_LAB"].map(|name| std::env::var(name).unwrap_or_default());
            assert!(
                demanded
                    .iter()
                    .all(|value| value != "true" && value != "complete"),
                "{}: {error}",
                root.display()
            );
            println!("skipped: {}: {error}", root.display());
            Vec::new()
        }
    }
}

/// The dumps that pciutils is tested with: name and text.
pub fn texts() -> Vec<(String, String)> {
    let read = |path: PathBuf| {
        let bytes =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (path.display().to_string(), text)
    };
    files("pciutils").into_iter().map(read).collect()
}

/// The binary `config` files that libvirt is tested with, named `dddd-bb-dd.f.config`.
pub fn binaries() -> BTreeMap<Address, ConfigSpace> {
    let read = |path: PathBuf| {
        let name = path
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .replace('-', ":");
        let bytes =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (name.parse().unwrap(), ConfigSpace::new(bytes))
    };
    files("libvirt").into_iter().map(read).collect()
}
