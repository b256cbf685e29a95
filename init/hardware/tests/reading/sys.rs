//! Builds folders that are laid out like /sys.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hardware::{Function, Machine, Source, read};
use tempfile::TempDir;

/// A folder laid out like /sys, under construction.
pub struct Sys(TempDir);

impl Sys {
    /// One that has the list of functions and nothing in it.
    pub fn new() -> Self {
        let sys = Self(tempfile::tempdir().unwrap());
        sys.folder("bus/pci/devices");
        sys
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn folder(&self, path: &str) -> &Self {
        fs::create_dir_all(self.path().join(path)).unwrap();
        self
    }

    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// A function with a real folder, as in a copy that has no links.
    pub fn function(&self, address: &str, files: &[(&str, &str)]) -> &Self {
        self.files(&format!("bus/pci/devices/{address}"), files)
    }

    /// A function whose folder is where the kernel has it, with a link in the list. `above` is the path
    /// under devices/ that leads to it.
    pub fn linked(&self, above: &str, address: &str, files: &[(&str, &str)]) -> &Self {
        self.link(
            &format!("bus/pci/devices/{address}"),
            &format!("../../../devices/{above}/{address}"),
        );
        self.files(&format!("devices/{above}/{address}"), files)
    }

    fn files(&self, folder: &str, files: &[(&str, &str)]) -> &Self {
        let ids = [
            ("vendor", "0x8086\n"),
            ("device", "0x1234\n"),
            ("class", "0x020000\n"),
        ];
        for (name, content) in ids.iter().chain(files) {
            self.file(&format!("{folder}/{name}"), content);
        }
        self
    }

    pub fn read(&self) -> Machine {
        read(&Source::folder(self.path()).unwrap()).unwrap()
    }
}

/// The function at an address.
pub fn at<'a>(machine: &'a Machine, address: &str) -> &'a Function {
    let found = machine
        .functions
        .iter()
        .find(|function| function.address.to_string() == address);
    found.unwrap_or_else(|| panic!("{address} was not read"))
}

/// Configuration space of a bridge.
pub fn bridge(primary: u8, secondary: u8, subordinate: u8) -> Vec<u8> {
    let mut config = vec![0; 64];
    config[0x0e] = 1;
    config[0x18..0x1b].copy_from_slice(&[primary, secondary, subordinate]);
    config
}
