//! The built-in module list on Debian's own kernel, and the index files against the real depmod.
//!
//! Needs the network once; without it the tests say so and pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use image_builder::apt::{self, Request};
use image_builder::cache::Cache;
use image_builder::initramfs::Recipe;
use image_builder::modules::ModuleName;

fn fetched(package: &str) -> Option<PathBuf> {
    let fetch = || -> Result<PathBuf, apt::AptError> {
        apt::cached_tree(&Cache::open()?, &Request::new([package]))
    };
    fetch()
        .inspect_err(|error| eprintln!("skipped: no {package}: {error}"))
        .ok()
}

/// depmod of this machine, else of the unpacked package.
fn depmod() -> Option<PathBuf> {
    let installed = ["/usr/sbin/depmod", "/sbin/depmod"].map(PathBuf::from);
    let found = installed.into_iter().find(|path| path.exists());
    let depmod = found.or_else(|| {
        let tree = fetched("kmod")?;
        let places = ["usr/sbin/depmod", "sbin/depmod"];
        places
            .iter()
            .map(|place| tree.join(place))
            .find(|path| path.exists())
    });
    let runs = |path: &PathBuf| {
        let version = Command::new(path).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    depmod.filter(runs).or_else(|| {
        eprintln!("skipped: no depmod that runs here; install the package kmod");
        None
    })
}

/// The image of Debian's kernel by path, built once for all tests.
fn debian_image() -> Option<&'static BTreeMap<String, common::Unpacked>> {
    static IMAGE: OnceLock<Option<BTreeMap<String, common::Unpacked>>> = OnceLock::new();
    let build = || {
        let kernel = fetched("linux-image-amd64")?;
        let init = tempfile::NamedTempFile::new().unwrap();
        fs::write(init.path(), common::static_program()).unwrap();
        Some(common::built(&Recipe::new(kernel, init.path())))
    };
    IMAGE.get_or_init(build).as_ref()
}

/// Writes the module folder of an image to disk; gives the release.
fn write_modules(entries: &BTreeMap<String, common::Unpacked>, root: &Path) -> String {
    let mut release = String::new();
    for (path, entry) in entries {
        if entry.header.mode() & 0o170000 != 0o100000 || !path.starts_with("lib/modules/") {
            continue;
        }
        path.split('/').nth(2).unwrap().clone_into(&mut release);
        let place = root.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, &entry.content).unwrap();
    }
    release
}

/// `modules.dep` as a map from each module to the set of what it needs.
fn needs(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, needs)| {
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            (path.to_owned(), needs)
        })
        .collect()
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// modprobe and the init load from the right to the left, so each must come after its own needs.
fn assert_loadable(dep: &str) {
    let all = needs(dep);
    for line in dep.lines() {
        let (path, list) = line.split_once(':').unwrap();
        let mut loaded = BTreeSet::new();
        for module in list.split_whitespace().rev().chain([path]) {
            let needs = all.get(module).unwrap();
            assert!(
                needs.iter().all(|need| loaded.contains(need.as_str())),
                "{line}"
            );
            loaded.insert(module);
        }
    }
}

#[test]
fn the_index_files_equal_those_of_depmod() {
    let (Some(entries), Some(depmod)) = (debian_image(), depmod()) else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let release = write_modules(entries, root.path());
    let folder = root.path().join("lib/modules").join(&release);
    let files = ["modules.dep", "modules.alias", "modules.softdep"];
    let ours = files.map(|name| fs::read_to_string(folder.join(name)).unwrap());
    let status = Command::new(depmod)
        .arg("-b")
        .arg(root.path())
        .arg(&release)
        .status();
    assert!(status.unwrap().success());
    let theirs = files.map(|name| fs::read_to_string(folder.join(name)).unwrap());

    let [our_dep, our_alias, our_softdep] = ours;
    let [their_dep, their_alias, their_softdep] = theirs;
    assert_eq!(needs(&our_dep), needs(&their_dep));
    assert_eq!(lines(&our_alias), lines(&their_alias));
    assert_eq!(lines(&our_softdep), lines(&their_softdep));
    assert_loadable(&our_dep);
}

#[test]
fn storage_and_input_of_the_contract_are_carried_and_graphics_are_not() {
    let Some(entries) = debian_image() else {
        return;
    };
    let names: BTreeSet<ModuleName> = entries
        .keys()
        .filter_map(|path| ModuleName::from_path(path))
        .collect();
    let builtin = entries
        .iter()
        .find(|(path, _)| path.ends_with("/modules.builtin"));
    let builtin = String::from_utf8(builtin.unwrap().1.content.clone()).unwrap();
    let builtin: BTreeSet<ModuleName> = builtin.lines().filter_map(ModuleName::from_path).collect();
    for name in [
        "ahci",
        "nvme",
        "virtio_blk",
        "virtio_scsi",
        "virtio_pci",
        "virtio_console",
        "sd_mod",
        "megaraid_sas",
        "mpt3sas",
        "usb_storage",
        "uas",
        "ext4",
        "xfs",
        "btrfs",
        "vfat",
        "nls_cp437",
        "overlay",
        "dm_snapshot",
        "xhci_pci",
        "usbhid",
        "hid_generic",
        // hid-generic leaves keyboards to these that nothing else drives: covers of tablets.
        "hid_rmi",
        "hid_elan",
        "atkbd",
    ] {
        let name = ModuleName::new(name);
        assert!(
            names.contains(&name) || builtin.contains(&name),
            "no {name}"
        );
    }
    for path in entries.keys().filter(|path| path.ends_with(".ko")) {
        let foreign = ["/drivers/gpu/", "/drivers/video/", "/sound/"];
        assert!(
            !foreign.iter().any(|folder| path.contains(folder)),
            "{path}"
        );
    }
    assert!(
        entries
            .keys()
            .any(|path| path.starts_with("usr/share/preflight/licenses/linux-image"))
    );
}
