use std::fs;
use std::path::{Path, PathBuf};

use image_builder::apt::{self, Request};
use image_builder::cache::Cache;

/// Debian packages with option ROMs or EFI programs in them.
const PACKAGES: [&str; 5] = [
    "ipxe-qemu",
    "seabios",
    "ipxe",
    "grub-efi-amd64-bin",
    "shim-unsigned",
];

/// The unpacked files of all packages; an error says what is missing.
pub fn tree() -> Result<PathBuf, String> {
    let cache = Cache::open().map_err(|error| error.to_string())?;
    apt::cached_tree(&cache, &Request::new(PACKAGES)).map_err(|error| error.to_string())
}

/// Ordinary files below a folder, sorted; links are left out.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}

/// The file of this name in the packages.
pub fn file(name: &str) -> Result<PathBuf, String> {
    let tree = tree()?;
    files_below(&tree)
        .into_iter()
        .find(|path| path.ends_with(name))
        .ok_or_else(|| format!("no {name} in {}", tree.display()))
}

/// Its bytes.
pub fn read(name: &str) -> Result<Vec<u8>, String> {
    let path = file(name)?;
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}
