use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image_builder::apt::{self, Request};
use image_builder::cache::Cache;

use super::Golden;
use crate::initramfs::Entry;
use crate::sha256;

/// Shared by all, and what a system with Proxmox's files and one with libvirt's has beside.
const SHARED: &str = "common";
const PROXMOX: [&str; 3] = ["proxmox", "pve", "storage"];
const LIBVIRT: [&str; 1] = ["libvirt"];

/// A second kernel, for the one that has two: of the same version as the first, and much smaller.
const SECOND_KERNEL: &str = "linux-image-cloud-amd64";

/// Where the scripts and files of installed systems are.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// What makes this one, as entries of an archive below `golden/`: scripts and files, and what is fetched.
pub(super) fn with_packages(golden: Golden, cache: &Cache) -> Result<Vec<Entry>> {
    let mut entries = of(golden)?;
    if golden == Golden::LvmExt4Uefi {
        let request = Request::new([SECOND_KERNEL]).from_debian([golden.debian().suite()]);
        let debs = apt::cached_debs(cache, &request)?;
        let deb = debs.first().context("apt fetched no second kernel")?;
        let bytes = fs::read(deb).with_context(|| format!("cannot read {}", deb.display()))?;
        entries.push(Entry::file("golden/second-kernel.deb", bytes));
    }
    Ok(entries)
}

/// The scripts and files that make this one, as entries of an archive below `golden/`.
fn of(golden: Golden) -> Result<Vec<Entry>> {
    let files: &[&str] = if golden.is_proxmox() {
        &PROXMOX
    } else {
        &LIBVIRT
    };
    let mut entries = Vec::new();
    for part in [SHARED].iter().chain(files) {
        collect(Path::new(part), &mut entries)?;
    }
    // They build on each other.
    collect(Path::new("installs"), &mut entries)?;
    Ok(entries)
}

/// A digest of names and contents.
pub(super) fn digest(entries: &[Entry]) -> String {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(entry.name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(sha256(&entry.bytes).as_bytes());
    }
    sha256(&bytes)
}

fn collect(part: &Path, entries: &mut Vec<Entry>) -> Result<()> {
    let path = folder().join(part);
    let listed = fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))?;
    let mut names = listed
        .map(|entry| Ok(part.join(entry?.file_name())))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let path = folder().join(&name);
        if path.is_dir() {
            collect(&name, entries)?;
        } else {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            entries.push(Entry::file(&format!("golden/{}", name.display()), bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_a_script_of_its_own_name() {
        for golden in Golden::all() {
            let wanted = format!("golden/installs/{}.sh", golden.name());
            let entries = of(golden).unwrap();
            assert!(entries.iter().any(|entry| entry.name == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_changed_file_changes_the_digest() {
        let mut entries = of(Golden::LvmExt4Bios).unwrap();
        let before = digest(&entries);
        entries[0].bytes.push(b'\n');
        assert_ne!(digest(&entries), before);
    }
}
